package handlers

import (
	"encoding/pem"
	"net/http"
	"strings"

	"perennial/tenants"
	"perennial/views"
)

const (
	typePEM = "application/x-pem-file"
	typeDER = "application/pkix-cert"
)

func (s *Site) fullChain(v *visit) error {
	return s.sendChain(v, "fullchain.pem", typePEM, func(blocks []*pem.Block) []byte { return encode(blocks) })
}

func (s *Site) leafPEM(v *visit) error {
	return s.sendChain(v, "cert.pem", typePEM, func(blocks []*pem.Block) []byte { return encode(blocks[:1]) })
}

func (s *Site) leafDER(v *visit) error {
	return s.sendChain(v, "cert.der", typeDER, func(blocks []*pem.Block) []byte { return blocks[0].Bytes })
}

func (s *Site) chain(v *visit) error {
	return s.sendChain(v, "chain.pem", typePEM, func(blocks []*pem.Block) []byte { return encode(blocks[1:]) })
}

func (s *Site) sendChain(v *visit, ending, kind string, part func([]*pem.Block) []byte) error {
	wanted, err := s.version(v)
	if err != nil {
		return err
	}
	name, version, err := s.scope(v).DownloadChain(v.ctx(), wanted.ID)
	if err != nil {
		return err
	}
	return v.send(fileName(name, ending), kind, part(blocksOf(version.Chain)))
}

// version finds the version that the path names, which must be one of the domain that it names too.
func (s *Site) version(v *visit) (tenants.Version, error) {
	domain, ok := tenants.ParseID[tenants.DomainID](v.Param("id"))
	if !ok {
		return tenants.Version{}, noDomain()
	}
	id, ok := tenants.ParseID[tenants.VersionID](v.Param("version"))
	if !ok {
		return tenants.Version{}, noVersion()
	}
	return s.scope(v).Version(v.ctx(), domain, id)
}

func noVersion() error {
	return tenants.Errorf(tenants.NotFound, "There is no such version here. Go back to the certificate and choose again.")
}

func blocksOf(chain string) []*pem.Block {
	var all []*pem.Block
	rest := []byte(chain)
	for {
		block, more := pem.Decode(rest)
		if block == nil {
			return all
		}
		all, rest = append(all, block), more
	}
}

func encode(blocks []*pem.Block) []byte {
	var b []byte
	for _, block := range blocks {
		b = append(b, pem.EncodeToMemory(block)...)
	}
	return b
}

// confirmKey says what leaving the portal means for a key before it leaves.
func (s *Site) confirmKey(v *visit) error {
	p, err := s.domainPage(v)
	if err != nil {
		return err
	}
	version, err := s.version(v)
	if err != nil {
		return err
	}
	return s.render(v, views.ConfirmKey(views.ConfirmPage{DomainPage: p, Version: version}))
}

// key hands a private key out. It is a POST, so that no link, prefetch or history entry can ask for it.
func (s *Site) key(v *visit) error {
	wanted, err := s.version(v)
	if err != nil {
		return err
	}
	name, secret, err := s.scope(v).DownloadKey(v.ctx(), wanted.ID)
	if err != nil {
		return err
	}
	return v.send(fileName(name, "key.pem"), typePEM, secret.Reveal())
}

// fileName is a name that every file system takes: a wildcard's star becomes a word.
func fileName(domain, ending string) string {
	return strings.ReplaceAll(domain, "*", "wildcard") + "." + ending
}

func (v *visit) send(name, kind string, body []byte) error {
	h := v.Response().Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	return write(v, http.StatusOK, body)
}
