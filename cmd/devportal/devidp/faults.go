package devidp

// Faults make the provider misbehave, so that tests can see what the portal does about it.
type Faults struct {
	Nonce       string // put into id tokens instead of the client's nonce
	Issuer      string // sent as the iss parameter instead of the true one
	ForgetCodes bool   // every code has expired by the time it is exchanged
}

// Break makes the provider misbehave from now on; the zero Faults heals it.
func (p *Provider) Break(f Faults) { p.storage.edit(func(s *storage) { s.faults = f }) }
