package control_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
)

// deadGateway counts what is chosen.
type deadGateway struct {
	gateway
	chosen []contract.DeadChoice
}

func (g *deadGateway) RetryDead(ctx context.Context, c contract.DeadChoice) (int, error) {
	return g.DropDead(ctx, c)
}

func (g *deadGateway) DropDead(_ context.Context, c contract.DeadChoice) (int, error) {
	g.chosen = append(g.chosen, c)
	return len(c.IDs), nil
}

// "All" is said and never follows from what is missing or misspelt.
func TestMissingOrUnknownParameterNeverMeansAll(t *testing.T) {
	g := &deadGateway{}
	path, stop := serve(t, g)
	defer stop()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}, DisableKeepAlives: true}}
	for _, ask := range []string{"POST /dead/drop", "POST /dead/drop?ids=5", "POST /dead/drop?id=5&ids=6", "POST /dead/drop?all=0", "POST /dead/drop?all=1&id=5", "POST /dead/drop?all",
		"POST /dead/drop?id=", "POST /dead/drop?id=x", "POST /dead/drop?%zz=1", "POST /dead/drop?id=5;all=1", "POST /dead/retry", "POST /dead/retry?ids=5", "POST /reload?dry_run=1", "GET /status?json=1", "GET /queue?sensor=x",
		"GET /queue/export?sensor=x", "GET /dead?max=5", "GET /tail?sensor=x"} {
		method, path, _ := strings.Cut(ask, " ")
		req, err := http.NewRequest(method, "http://x"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1000))
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || err != nil || len(text) == 0 {
			t.Errorf("%s: %s, %s, %v", ask, resp.Status, text, err)
		}
	}
	if len(g.chosen) > 0 {
		t.Errorf("chosen: %v", g.chosen)
	}
	c := control.NewClient(path)
	if _, err := c.DropDead(t.Context(), contract.DeadChoice{}); err == nil {
		t.Error("nothing chosen, and no error")
	}
	if n, err := c.DropDead(t.Context(), contract.DeadChoice{IDs: []int64{5, -1}}); n != 2 || err != nil {
		t.Errorf("two: %d, %v", n, err)
	}
	if _, err := c.RetryDead(t.Context(), contract.DeadChoice{All: true}); err != nil || len(g.chosen) != 2 || !g.chosen[1].All || g.chosen[0].All {
		t.Errorf("chosen: %v, %v", g.chosen, err)
	}
}
