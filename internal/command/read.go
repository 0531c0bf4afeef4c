package command

import (
	"context"
	"encoding/json"
	"time"
)

func read() Spec {
	return Spec{
		Name: "read", Doc: "measure once with a sensor", Default: true, Timeout: 30 * time.Second, Harmless: true,
		Run: func(ctx context.Context, h Host, args json.RawMessage) (any, error) {
			var a struct {
				Sensor string `json:"sensor"`
			}
			if err := decodeArgs(args, &a); err != nil {
				return nil, err
			}
			return measured(a.Sensor)(h.Measure(ctx, a.Sensor))
		},
	}
}
