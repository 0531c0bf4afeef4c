package command

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

func write() Spec {
	return Spec{
		Name: "write", Doc: "set writable fields of a sensor, then measure it", Timeout: 30 * time.Second,
		Run: func(ctx context.Context, h Host, args json.RawMessage) (any, error) {
			var a struct {
				Sensor string                     `json:"sensor"`
				Fields map[string]json.RawMessage `json:"fields"`
			}
			if err := decodeArgs(args, &a); err != nil {
				return nil, err
			}
			if len(a.Fields) == 0 {
				return nil, &Error{Code: "arguments", Err: errors.New(`args: fields must name what to set, such as {"on":true}`)}
			}
			return measured(a.Sensor)(h.Write(ctx, a.Sensor, a.Fields))
		},
	}
}
