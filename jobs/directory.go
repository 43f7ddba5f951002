package jobs

import (
	"context"
	"fmt"

	"perennial/tenants"
)

// CheckDirectory asks a directory whether it is one of an ACME authority that would take us, before it is added. It is a
// store.CheckDirectory.
func (e *Engine) CheckDirectory(ctx context.Context, i tenants.Issuer, eab tenants.EAB) (tenants.Issuer, error) {
	meta, err := e.Connect(i, eab).Meta(ctx)
	switch p := asProblem(err); {
	case err == nil && meta.EABRequired && eab.KeyID == "":
		return i, wrong("eab_key_id", tenants.BindingMissing(i.Name))
	case err == nil:
		i.CAA, i.Profiles = meta.CAAIdentities, meta.Profiles
		return i, nil
	case p == nil:
		return i, fmt.Errorf("check directory: %w", err)
	case p.Code == tenants.CARateLimited:
		return i, wrong("directory", "The authority takes no requests from here just now, since there were too many. Try again in some minutes.")
	case p.Code == tenants.CAUntrusted:
		return i, wrong("directory", "What answers there has a TLS certificate that this portal does not trust. Check the address. The root of a private authority belongs into the file that PERENNIAL_ACME_ROOT_FILE names.")
	case p.Code == tenants.CASilent:
		return i, wrong("directory", "No authority answers there just now. Check the address, and that the portal's host may reach it, then try again.")
	default:
		return i, wrong("directory", "What answers there is no ACME directory. Type the address that the authority publishes for its directory.")
	}
}

func wrong(field, sentence string) error {
	return &tenants.Error{Kind: tenants.Invalid, Text: "This authority was not added. See what is said beside each field.",
		Fields: map[string]string{field: sentence}}
}
