package handlers

import (
	"net/http"
	"net/netip"

	"perennial/tenants"
)

// Line is a line of the route table, for the test that walks it.
type Line struct {
	Method, Path string
	Needs        tenants.Permission
	Stream       bool
}

// Lines is the route table.
func Lines() []Line {
	var all []Line
	for _, r := range routes {
		all = append(all, Line{r.method, r.path, r.needs, r.path == "/t/:slug/events"})
	}
	return all
}

// Address is where a request came from, with these networks of reverse proxies.
func Address(r *http.Request, trusted ...netip.Prefix) string { return addressOf(trusted)(r) }

// Guarded is what a CSV cell becomes.
func Guarded(cell string) string { return guarded(cell) }
