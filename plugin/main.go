// Command plugin is Fairshare: one WebAssembly file that makes a proxy an LLM
// gateway.
package main

import (
	"fairshare/plugin/filter"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
)

func main() {}

// A c-shared wasm is a library: its host runs the initialisers, never main.
func init() { proxywasm.SetVMContext(filter.NewVM()) }
