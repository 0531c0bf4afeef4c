package command

import (
	"context"
	"encoding/json"
	"time"
)

func restart() Spec {
	return Spec{
		Name: "restart", Doc: "stop in order and start again with the configuration as it is then", Timeout: 5 * time.Second,
		Run:   func(context.Context, Host, json.RawMessage) (any, error) { return nil, nil },
		After: func(h Host) { h.Restart() },
	}
}
