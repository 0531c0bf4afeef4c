package command

import (
	"context"
	"encoding/json"
	"time"
)

func flush() Spec {
	return Spec{
		Name: "flush", Doc: "write everything in RAM to the card", Default: true, Timeout: 30 * time.Second,
		Run: func(ctx context.Context, h Host, _ json.RawMessage) (any, error) { return nil, h.Flush(ctx) },
	}
}
