// Command plugin is Fairshare: one WebAssembly file that makes a proxy an LLM
// gateway. A c-shared wasm is a library: its host calls what package filter
// exports, never main.
package main

import _ "fairshare/plugin/filter"

func main() {}
