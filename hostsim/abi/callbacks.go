package abi

// The functions that a module exports and a host calls. Which of them a host
// calls, and when, is the host's own affair.
const (
	Version020 = "proxy_abi_version_0_2_0"

	Initialize       = "_initialize"
	Start            = "_start"
	Malloc           = "malloc"
	OnMemoryAllocate = "proxy_on_memory_allocate"

	OnContextCreate    = "proxy_on_context_create"     // (context, root)
	OnVMStart          = "proxy_on_vm_start"           // (root, configuration_size) bool
	OnConfigure        = "proxy_on_configure"          // (root, configuration_size) bool
	OnTick             = "proxy_on_tick"               // (root)
	OnQueueReady       = "proxy_on_queue_ready"        // (root, queue)
	OnRequestHeaders   = "proxy_on_request_headers"    // (context, headers, end) Action
	OnRequestBody      = "proxy_on_request_body"       // (context, size, end) Action
	OnRequestTrailers  = "proxy_on_request_trailers"   // (context, trailers) Action
	OnResponseHeaders  = "proxy_on_response_headers"   // (context, headers, end) Action
	OnResponseBody     = "proxy_on_response_body"      // (context, size, end) Action
	OnResponseTrailers = "proxy_on_response_trailers"  // (context, trailers) Action
	OnCalloutResponse  = "proxy_on_http_call_response" // (context, id, headers, size, trailers)
	OnLog              = "proxy_on_log"                // (context)
	OnDone             = "proxy_on_done"               // (context) bool
	OnDelete           = "proxy_on_delete"             // (context)
)

// Parameters returns the names of the parameters of a callback, as a trace
// shows them, or nil for a function that is no callback.
func Parameters(callback string) []string { return parameters[callback] }

var parameters = map[string][]string{
	OnContextCreate:    {"context", "root"},
	OnVMStart:          {"root", "size"},
	OnConfigure:        {"root", "size"},
	OnTick:             {"root"},
	OnQueueReady:       {"root", "queue"},
	OnRequestHeaders:   {"context", "headers", "end"},
	OnRequestBody:      {"context", "size", "end"},
	OnRequestTrailers:  {"context", "trailers"},
	OnResponseHeaders:  {"context", "headers", "end"},
	OnResponseBody:     {"context", "size", "end"},
	OnResponseTrailers: {"context", "trailers"},
	OnCalloutResponse:  {"root", "id", "headers", "size", "trailers"},
	OnLog:              {"context"},
	OnDone:             {"context"},
	OnDelete:           {"context"},
}
