package mqtt

import (
	"errors"
	"net/url"
	"strings"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// maxRedirects is how many brokers may pass the client on before it falls back to the usual delays.
// Only a stable connection resets the count.
const maxRedirects = 3

// A route says which broker comes next. It belongs to the supervisor.
type route struct {
	urls      []*url.URL
	i         int      // of the next one, modulo their number
	detour    *url.URL // to be tried instead, once
	redirects int      // since the last stable connection
}

// next returns the URL of the next attempt, and whether that is a detour.
func (r *route) next() (u *url.URL, detour bool) {
	if u = r.detour; u != nil {
		r.detour = nil
		return u, true
	}
	return r.urls[r.i%len(r.urls)], false
}

// follow changes the route if the connection to from ended with err, which refers to another
// server, and allow permits it: for the next attempt with 0x9C, permanently with 0x9D (MQTT 5.0,
// 4.11).
func (r *route) follow(from *url.URL, err error, allow func(from, to *url.URL) bool) bool {
	re, ok := errors.AsType[*ReasonError](err)
	if !ok || re.Code != packet.UseAnotherServer && re.Code != packet.ServerMoved || allow == nil || r.redirects >= maxRedirects {
		return false
	}
	for reference := range strings.FieldsSeq(re.ServerReference) {
		to := referenced(from, reference)
		if to == nil || !allow(from, to) {
			continue
		}
		if re.Code == packet.ServerMoved {
			r.urls[r.i%len(r.urls)] = to
		} else {
			r.detour = to
		}
		r.redirects++
		return true
	}
	return false
}

// referenced returns the URL that a server reference means to a client that is connected to from: a
// URL, or a host with or without a port, for the same transport. It is nil if the reference is not
// usable, or would give up TLS.
func referenced(from *url.URL, reference string) *url.URL {
	if !strings.Contains(reference, "://") {
		to := *from
		to.Host = reference
		reference = to.String()
	}
	to, err := parseURL(reference, true)
	if err != nil || to.Hostname() == "" {
		return nil
	}
	encrypted := map[string]bool{"mqtt": false, "ws": false, "mqtts": true, "wss": true}
	secure, known := encrypted[to.Scheme]
	if !known || encrypted[from.Scheme] && !secure {
		return nil
	}
	return to
}
