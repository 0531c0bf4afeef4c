package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/internal/bounded"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// query returns the choice as parameters.
func query(c contract.DeadChoice) string {
	q := url.Values{}
	if c.All {
		q.Set("all", "1")
	}
	for _, id := range c.IDs {
		q.Add("id", strconv.FormatInt(id, 10))
	}
	return q.Encode()
}

// choice reads what query wrote.
func choice(q url.Values) (c contract.DeadChoice, err error) {
	switch all := q["all"]; {
	case len(all) == 1 && all[0] == "1":
		c.All = true
	case len(all) > 0:
		return c, fmt.Errorf("all=%s: want all=1", strings.Join(all, ","))
	}
	for _, text := range q["id"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return c, fmt.Errorf("%q is not an id", text)
		}
		c.IDs = append(c.IDs, id)
	}
	if c.All == (len(c.IDs) > 0) {
		return c, errors.New("name dead letters with id=…, or all of them with all=1")
	}
	return c, nil
}

// Queue is what the socket needs of the gateway's store.
type Queue interface {
	QueueStats(ctx context.Context) (contract.QueueStats, error)
	// Export calls line with the document of every reading that waits.
	Export(ctx context.Context, line func([]byte) error) error
	// DeadLetters returns up to max dead letters with an id above after.
	DeadLetters(ctx context.Context, after int64, max int) ([]contract.DeadLetter, error)
	// RetryDead and DropDead take the chosen dead letters away and return how many.
	RetryDead(ctx context.Context, c contract.DeadChoice) (int, error)
	DropDead(ctx context.Context, c contract.DeadChoice) (int, error)
}

// deadPage is how many dead letters are in memory at a time.
const deadPage = 50

func handleQueue(mux *http.ServeMux, q Queue) {
	fail := func(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusInternalServerError) }
	handle(mux, "GET /queue", func(w http.ResponseWriter, r *http.Request) {
		s, err := q.QueueStats(r.Context())
		if err != nil {
			fail(w, err)
			return
		}
		_ = json.NewEncoder(w).Encode(s)
	})
	// A list that ends early is cut off, so that the caller sees that it is not whole.
	handle(mux, "GET /queue/export", func(w http.ResponseWriter, r *http.Request) {
		err := q.Export(r.Context(), func(line []byte) error {
			_, err := w.Write(append(line, '\n'))
			return errors.Join(err, bounded.Extend(w))
		})
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	handle(mux, "GET /dead", func(w http.ResponseWriter, r *http.Request) {
		out := json.NewEncoder(w)
		for after := int64(0); ; {
			letters, err := q.DeadLetters(r.Context(), after, deadPage)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			if len(letters) == 0 {
				return
			}
			for _, d := range letters {
				after = d.ID
				if bounded.Extend(w) != nil || out.Encode(d) != nil {
					return
				}
			}
		}
	})
	for path, do := range map[string]func(context.Context, contract.DeadChoice) (int, error){"POST /dead/retry": q.RetryDead, "POST /dead/drop": q.DropDead} {
		handle(mux, path, func(w http.ResponseWriter, r *http.Request) {
			c, err := choice(r.URL.Query())
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			n, err := do(r.Context(), c)
			if err != nil {
				fail(w, err)
				return
			}
			_ = json.NewEncoder(w).Encode(n)
		}, "id", "all")
	}
}

// QueueStats asks what waits.
func (c *Client) QueueStats(ctx context.Context) (contract.QueueStats, error) {
	var s contract.QueueStats
	body, err := c.do(ctx, http.MethodGet, "/queue")
	if err != nil {
		return s, err
	}
	defer body.Close()
	return s, json.NewDecoder(body).Decode(&s)
}

// Export copies the documents of all readings that wait to out, one in a line.
func (c *Client) Export(ctx context.Context, out io.Writer) error {
	body, err := c.do(ctx, http.MethodGet, "/queue/export")
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(out, body); err != nil {
		return fmt.Errorf("the export is incomplete: %w", err)
	}
	return nil
}

// DeadLetters calls line for every dead letter.
func (c *Client) DeadLetters(ctx context.Context, line func(contract.DeadLetter) error) error {
	body, err := c.do(ctx, http.MethodGet, "/dead")
	if err != nil {
		return err
	}
	defer body.Close()
	in := json.NewDecoder(body)
	for {
		var d contract.DeadLetter
		switch err := in.Decode(&d); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("the list is incomplete: %w", err)
		}
		if err := line(d); err != nil {
			return err
		}
	}
}

// RetryDead has dead letters sent once more and returns how many there were.
func (c *Client) RetryDead(ctx context.Context, which contract.DeadChoice) (int, error) {
	return c.dead(ctx, "/dead/retry", which)
}

// DropDead removes dead letters and returns how many there were.
func (c *Client) DropDead(ctx context.Context, which contract.DeadChoice) (int, error) {
	return c.dead(ctx, "/dead/drop", which)
}

func (c *Client) dead(ctx context.Context, path string, which contract.DeadChoice) (n int, err error) {
	body, err := c.do(ctx, http.MethodPost, path+"?"+query(which))
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return n, json.NewDecoder(body).Decode(&n)
}
