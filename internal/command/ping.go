package command

import (
	"context"
	"encoding/json"
	"time"
)

func ping() Spec {
	return Spec{
		Name: "ping", Doc: "answer with version, run and time since power-up", Default: true, Timeout: 5 * time.Second, Harmless: true,
		Run: func(_ context.Context, h Host, _ json.RawMessage) (any, error) {
			s := h.Status()
			return map[string]any{"version": s.Version, "run": s.Health.Run, "up": s.Health.Up}, nil
		},
	}
}
