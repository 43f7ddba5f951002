package store

import (
	"time"

	"perennial/tenants"
)

// Override is the operator's own value of a limit, such as a granted increase.
type Override struct {
	Limit tenants.Limit
	By    string // who set it
	At    time.Time
}
