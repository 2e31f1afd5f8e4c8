//go:build tools

// Package tinygo pins the compiler of the wasm file. The module is never
// built as a whole: .ci/tools.sh builds the compiler's main package from it.
package tinygo

import _ "github.com/tinygo-org/tinygo"
