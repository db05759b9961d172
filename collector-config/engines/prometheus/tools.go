//go:build tools

// Package tools names the programs whose modules go.mod locks; it is never built.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
