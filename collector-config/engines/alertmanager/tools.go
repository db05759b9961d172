//go:build tools

// Package tools names the program whose modules go.mod locks; it is never built.
package tools

import _ "github.com/prometheus/alertmanager/cmd/alertmanager"
