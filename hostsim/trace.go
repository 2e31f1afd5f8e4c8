package hostsim

import (
	"fmt"
	"strings"

	"fairshare/hostsim/abi"
)

// traceIn writes the line of a callback to the transcript:
//
//	@12.5s w2 ==> proxy_on_request_headers(context=2,headers=5,end=1)
//	@12.5s w2     proxy_get_header_map_value(map="request",name=":path") = OK value="/"
//	@12.5s w2 <== pause
//
// Times count from the start of the host, w0 is the main thread.
func (w *worker) traceIn(callback string, args []uint64) {
	names := abi.Parameters(callback)
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte(',')
		}
		if i < len(names) {
			b.WriteString(names[i] + "=")
		}
		fmt.Fprint(&b, a)
	}
	w.host.trace(w, "==> "+callback+"("+b.String()+")")
}

// traceOut writes the line of a callback's end.
func (w *worker) traceOut(callback string, result uint64, err error) {
	line := "<=="
	switch {
	case err != nil:
		line += " trap: " + firstLine(err.Error())
	case callback == abi.OnVMStart || callback == abi.OnConfigure || callback == abi.OnDone:
		line += fmt.Sprintf(" %t", result != 0)
	case strings.HasPrefix(callback, "proxy_on_re"): // request and response callbacks
		line += " " + abi.Action(result).String()
	}
	w.host.trace(w, line)
}

// trace writes one line to the transcript.
func (h *Host) trace(w *worker, line string) {
	elapsed := h.Now().Sub(h.opt.Now)
	h.mu.Lock()
	defer h.mu.Unlock()
	// A transcript that cannot be written must not change what it describes.
	_, _ = fmt.Fprintf(h.opt.Trace, "@%v w%d %s\n", elapsed, w.id, line)
}

func firstLine(s string) string {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return s[:i]
	}
	return s
}
