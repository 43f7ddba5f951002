package handlers

import "perennial/tenants"

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

// Guarded is what a CSV cell becomes.
func Guarded(cell string) string { return guarded(cell) }
