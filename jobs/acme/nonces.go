package acme

import (
	"errors"
	"strings"
	"sync"
)

// noncePool keeps the nonces of answers (RFC 8555, section 6.5) for later requests of any call, newest first:
// old ones are the likelier to have expired.
type noncePool struct {
	mu   sync.Mutex
	kept []string
}

// More than requests ever run at once would only age.
const maxKeptNonces = 64

func (p *noncePool) push(nonce string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept) == maxKeptNonces {
		p.kept = append(p.kept[:0], p.kept[1:]...)
	}
	p.kept = append(p.kept, nonce)
}

func (p *noncePool) pop() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.kept) - 1
	if last < 0 {
		return ""
	}
	nonce := p.kept[last]
	p.kept = p.kept[:last]
	return nonce
}

// keepNonce takes a nonce from an answer. Values that are not base64url must be ignored (section 6.5.1).
func (x *exchange) keepNonce(nonce string) {
	if nonce == "" || len(nonce) > 512 || strings.Trim(nonce, base64url) != "" {
		return
	}
	x.returnNonce()
	x.nonce = nonce
}

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// takeNonce prefers the nonce of this call's own last answer: after badNonce it is the one that the authority
// has just made for the next attempt, while everything in the pool may be stale.
func (x *exchange) takeNonce() string {
	nonce := x.nonce
	x.nonce = ""
	if nonce == "" {
		nonce = x.client.nonces.pop()
	}
	return nonce
}

func (x *exchange) returnNonce() {
	if x.nonce != "" {
		x.client.nonces.push(x.nonce)
		x.nonce = ""
	}
}

func (x *exchange) badNonce() bool {
	p, ok := errors.AsType[*Problem](x.failure)
	return ok && p.Kind() == "badNonce" && x.ctx.Err() == nil
}
