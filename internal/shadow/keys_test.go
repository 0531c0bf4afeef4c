package shadow

import (
	"encoding/json"
	"testing"

	"github.com/fieldgate/fieldgate/config"
)

// TestShadowKeysAreUnderstood: each key that [shadow] allow may list sets something, and one that
// is not listed sets nothing.
func TestShadowKeysAreUnderstood(t *testing.T) {
	documents := map[string]string{
		"sensors.every":        `{"sensors":{"hall":{"every":"20s"}}}`,
		"sensors.enabled":      `{"sensors":{"hall":{"enabled":false}}}`,
		"sensors.deadband":     `{"sensors":{"hall":{"deadband":{"temperature":2}}}}`,
		"gateway.log_level":    `{"gateway":{"log_level":"warn"}}`,
		"gateway.health_every": `{"gateway":{"health_every":"5m"}}`,
	}
	r := newRig(t)
	defer r.close()
	for _, key := range config.ShadowKeys.Names() {
		document := json.RawMessage(documents[key])
		if document == nil {
			t.Errorf("no document for %s: add one, and what the shadow does with it", key)
			continue
		}
		limits := r.limits
		limits.Allow = []string{key}
		if _, origins, rejected := overlay(r.base, limits, document); len(origins) != 1 || len(rejected) != 0 {
			t.Errorf("%s: set %v, rejected %v", key, origins, rejected)
		}
		limits.Allow = nil
		if _, origins, rejected := overlay(r.base, limits, document); len(origins) != 0 || len(rejected) != 1 {
			t.Errorf("%s, not allowed: set %v, rejected %v", key, origins, rejected)
		}
	}
}
