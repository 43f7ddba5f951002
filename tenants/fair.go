package tenants

// Rank is a domain's place in a queue that is fair between tenants (start-time fair queueing: Goyal, Vin and Cheng, 1996).
// Lower goes first; zero has none. Each tenant's domains have ranks one apart, beginning just behind who went last, so
// that the tenants take turns however many wait for each of them, and whoever asks for the first time is next.
type Rank int64

// Enter is the rank of a domain that enters now. served is the queue's virtual time, the rank of the last one that went;
// last is the highest rank of the tenant's domains that wait, zero for none. A tenant that was away is not owed the turns
// it did not take.
func Enter(served, last Rank) Rank { return max(served, last) + 1 }

// Priority is where the n-th domain that is given to the workers at once for the same tenant stands among all that wait for
// them, from 1, which goes first, to 4: so a tenant's thousand do not keep another's first waiting. n counts from 1.
func Priority(n int) int {
	switch {
	case n <= 1:
		return 1
	case n <= 10:
		return 2
	case n <= 100:
		return 3
	}
	return 4
}
