package app

import (
	"net/url"

	"perennial/tenants"
)

// noStaging is what acme-staging-directory says to have no dry runs.
const noStaging = "none"

// staging is where dry runs go; without a directory there are none.
func staging(c Config) tenants.Issuer {
	directory := c.ACMEStagingDirectory
	if directory == "" {
		directory = issuer(c).Staging()
	}
	if directory == "" || directory == noStaging {
		return tenants.Issuer{}
	}
	i := tenants.NewIssuer(directory)
	if len(tenants.ProfileOf(directory).Rules) == 0 { // nothing is published of it, its name included
		i.Name = issuer(c).Name + " staging"
	}
	i.Profile = c.ACMEProfile
	return i
}

func (c Config) checkStaging(f *Faults) {
	const setting = "acme-staging-directory"
	directory := c.ACMEStagingDirectory
	if directory == "" || directory == noStaging {
		return
	}
	u, err := url.Parse(directory)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		f.add(setting, "%q is not an https URL. Write the authority's directory URL for tests, or none for no dry runs.", directory)
	case directory == c.ACMEDirectory:
		f.add(setting, "It is the directory that certificates come from, so a dry run would spend what they need. Write another one, or none for no dry runs.")
	case tenants.ProfileOf(directory).EAB.Required:
		f.add(setting, "Accounts there need an external account binding of their own, which dry runs do not have. Write none.")
	}
}
