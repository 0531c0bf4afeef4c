package mqtt

import (
	"errors"
	"strings"
	"testing"
)

// A violation of the rules is reported in one sentence, which names this library once.
func TestInvalidIsReportedOnce(t *testing.T) {
	k := idleClient(t)
	bad := UserProperty{Key: "\x00"}
	tell := func(call func() error) error { return call() }
	for name, err := range map[string]error{
		"no subscription": tell(func() error { _, err := k.Subscribe(t.Context()); return err }),
		"filter":          tell(func() error { _, err := k.Subscribe(t.Context(), Subscription{Filter: "a/#/b"}); return err }),
		"options": tell(func() error {
			_, err := k.Subscribe(t.Context(), Subscription{Filter: "a", RetainHandling: 3})
			return err
		}),
		"no filter":            tell(func() error { _, err := k.Unsubscribe(t.Context(), nil); return err }),
		"filter of no topic":   tell(func() error { _, err := k.Unsubscribe(t.Context(), []string{"#/a"}); return err }),
		"unsubscribe property": tell(func() error { _, err := k.Unsubscribe(t.Context(), []string{"a"}, bad); return err }),
		"topic":                k.Send(&Message{Topic: "a/+"}, nil),
		"request":              tell(func() error { _, err := k.Request(t.Context(), &Message{Topic: "a/+"}); return err }),
		"response topic":       tell(func() error { _, err := k.Request(t.Context(), &Message{Topic: "a", ResponseTopic: "b"}); return err }),
		"authenticator":        k.Reauthenticate(t.Context()),
		"DISCONNECT code":      tell(func() error { _, err := (&Disconnect{Code: 0x89}).encode(0); return err }),
		"DISCONNECT property":  tell(func() error { _, err := (&Disconnect{UserProperties: []UserProperty{bad}}).encode(0); return err }),
	} {
		if !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), "mqtt: invalid") || strings.Count(err.Error(), "mqtt: ") != 1 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
