package command

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

func logLevel() Spec {
	return Spec{
		Name: "log-level", Doc: "change the log level until the next start or change of the shadow", Default: true, Timeout: 5 * time.Second,
		Run: func(_ context.Context, h Host, args json.RawMessage) (any, error) {
			var a struct {
				Level string `json:"level"`
			}
			if err := decodeArgs(args, &a); err != nil {
				return nil, err
			}
			if !config.LogLevels.Has(a.Level) {
				return nil, &Error{Code: "arguments", Err: fmt.Errorf("level must be one of %s", strings.Join(config.LogLevels.Names(), ", "))}
			}
			return nil, h.SetLogLevel(a.Level)
		},
	}
}
