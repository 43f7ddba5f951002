package jobs_test

import (
	"cmp"
	"context"
	"sync"
	"time"

	"perennial/jobs/dns"
	"perennial/tenants"
)

// fakeDNS is the customer's DNS and our own zone.
type fakeDNS struct {
	faults
	mu     sync.Mutex
	broken map[string]tenants.Answer // domain base → what the delegation looks like; absent: right
	got    string                    // what the servers answer in words when the delegation is not right
	caa    map[string][]tenants.CAA
	refuse error  // every write fails with it
	looked func() // what else happens while somebody looks; nil: nothing
	slow   bool   // values never become visible
	blind  bool   // the portal's own recursive servers are silent
	txt    map[string]published
	writes int
	wrote  func()               // nil: nobody counts
	rate   *tank                // what our zone's provider allows; nil: everything
	spread func() time.Duration // how long a value takes to be everywhere; nil: no time
}

// published is where a TXT value stands, and since when everybody sees it.
type published struct {
	record string
	from   time.Time
}

func (d *fakeDNS) Look(_ context.Context, del tenants.Delegation, now time.Time) tenants.Check {
	if meanwhile := d.looked; meanwhile != nil {
		d.looked = nil
		meanwhile()
	}
	failed := d.before("look") != nil || d.after("look") != nil // nothing happens by looking
	d.mu.Lock()
	defer d.mu.Unlock()
	c := tenants.Check{At: now, Zone: del.Base, Blind: d.blind || failed, CAA: []tenants.AskedCAA{{Name: del.Base, Records: d.caa[del.Base]}}}
	result, ok := d.broken[del.Base]
	if !ok {
		result = tenants.Right
	}
	for _, server := range []string{"ns1.test", "ns2.test"} {
		asked := tenants.Asked{Server: server, Result: result, Got: d.got}
		if result == tenants.Right {
			asked.Got = del.Target()
		}
		c.Delegation = append(c.Delegation, asked)
	}
	return c
}

func (d *fakeDNS) Visible(_ context.Context, record, value string) (seen, asked int, err error) {
	if err := cmp.Or(d.before("visible"), d.after("visible")); err != nil {
		return 0, 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.txt[value].record == record && d.visible(value) {
		return 2, 2, nil
	}
	return 0, 2, nil
}

// visible is called with the lock held.
func (d *fakeDNS) visible(value string) bool {
	p, ok := d.txt[value]
	return ok && !d.slow && !time.Now().Before(p.from)
}

func (d *fakeDNS) Present(_ context.Context, _, record, value string) error {
	return d.write("present", func() {
		if _, ok := d.txt[value]; ok {
			return
		}
		p := published{record: record, from: time.Now()}
		if d.spread != nil {
			p.from = p.from.Add(d.spread())
		}
		d.txt[value] = p
	})
}

func (d *fakeDNS) Remove(_ context.Context, _, _, value string) error {
	return d.write("remove", func() { delete(d.txt, value) })
}

func (d *fakeDNS) write(call string, effect func()) error {
	if err := d.before(call); err != nil {
		return err
	}
	if d.refuse != nil {
		return d.refuse
	}
	d.mu.Lock()
	if d.rate != nil && !d.rate.take(time.Now()) {
		d.mu.Unlock()
		return &dns.Fault{Code: tenants.WriteSilent, Raw: "Throttling: Rate exceeded"}
	}
	if d.txt == nil {
		d.txt = map[string]published{}
	}
	effect()
	if d.writes++; d.wrote != nil {
		d.wrote()
	}
	d.mu.Unlock()
	return d.after(call)
}

// proofs are the values that an authority finds for a name, through the customer's record.
func (d *fakeDNS) proofs(base string) map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := map[string]bool{}
	if _, broken := d.broken[base]; broken {
		return found
	}
	for value := range d.txt {
		found[value] = d.visible(value)
	}
	return found
}

// left lists the TXT values that nobody removed.
func (d *fakeDNS) left() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for value, p := range d.txt {
		out = append(out, p.record+" "+value)
	}
	return out
}

func (d *fakeDNS) set(base string, a tenants.Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken == nil {
		d.broken = map[string]tenants.Answer{}
	}
	if a == tenants.Right {
		delete(d.broken, base)
		return
	}
	d.broken[base] = a
}
