package flow

// A Decision tells the host what to do with the exchange next. The zero
// Decision lets it pass unchanged. It is valid until the exchange's next event.
type Decision struct {
	Pause bool   // wait: send nothing on yet
	Reply *Reply // if non-nil, answer the client with it and stop
	Edits []Edit // changes to the headers that the event is about

	// Body replaces the bytes that the event is about if Replace is set.
	Body    []byte
	Replace bool
}

// A Reply is an answer that the gateway gives itself.
type Reply struct {
	Status  int
	Headers [][2]string
	Body    []byte
}

// An Edit changes the headers called Name.
type Edit struct {
	Op          Op
	Name, Value string
}

// An Op is what an edit does.
type Op uint8

const (
	Set    Op = iota // one header of that name, with Value
	Add              // one more, where none is known to be; cheaper for the host
	Remove           // all of that name
)
