//go:build race && !tinygo

package quota

// raced is how many times longer a test takes than usual.
const raced = 10
