package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// QueueStats is the answer to GET /queue: what the store keeps.
type QueueStats struct {
	Readings int64                  `json:"readings"`
	Events   int64                  `json:"events"`
	InFlight int64                  `json:"in_flight"`
	Dead     int64                  `json:"dead_letters"`
	Losses   int64                  `json:"losses"` // entries of the ledger that were not told yet
	Bytes    int64                  `json:"bytes"`
	MaxBytes int64                  `json:"max_bytes"`
	Sensors  map[string]SensorQueue `json:"sensors"`
}

// SensorQueue is what waits of one sensor.
type SensorQueue struct {
	Readings  int64         `json:"readings"`
	Bytes     int64         `json:"bytes"` // before compression
	Oldest    contract.Time `json:"oldest"`
	OldestRun string        `json:"oldest_run"`
	OldestSeq uint64        `json:"oldest_seq"`
}

// DeadLetter is a line of GET /dead: something that the broker refused, as it would be sent.
type DeadLetter struct {
	ID       int64           `json:"id"`
	Reason   string          `json:"reason"`
	Document json.RawMessage `json:"document"`
}

// Queue is what the socket needs of the gateway's store.
type Queue interface {
	QueueStats(ctx context.Context) (QueueStats, error)
	// Export calls line with the document of every reading that waits.
	Export(ctx context.Context, line func([]byte) error) error
	// DeadLetters returns up to max dead letters with an id above after.
	DeadLetters(ctx context.Context, after int64, max int) ([]DeadLetter, error)
	// RetryDead and DropDead take dead letters away, without ids all, and tell how many.
	RetryDead(ctx context.Context, ids []int64) (int, error)
	DropDead(ctx context.Context, ids []int64) (int, error)
}

// deadPage is how many dead letters are in memory at a time.
const deadPage = 50

func handleQueue(mux *http.ServeMux, q Queue) {
	fail := func(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusInternalServerError) }
	mux.HandleFunc("GET /queue", func(w http.ResponseWriter, r *http.Request) {
		s, err := q.QueueStats(r.Context())
		if err != nil {
			fail(w, err)
			return
		}
		_ = json.NewEncoder(w).Encode(s)
	})
	// A list that ends early is cut off, so that the caller sees that it is not whole.
	mux.HandleFunc("GET /queue/export", func(w http.ResponseWriter, r *http.Request) {
		err := q.Export(r.Context(), func(line []byte) error {
			_, err := w.Write(append(line, '\n'))
			return err
		})
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	mux.HandleFunc("GET /dead", func(w http.ResponseWriter, r *http.Request) {
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
				if out.Encode(d) != nil {
					return
				}
			}
		}
	})
	for path, do := range map[string]func(context.Context, []int64) (int, error){"POST /dead/retry": q.RetryDead, "POST /dead/drop": q.DropDead} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			var ids []int64
			for _, text := range r.URL.Query()["id"] {
				id, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					http.Error(w, fmt.Sprintf("%q is no id", text), http.StatusBadRequest)
					return
				}
				ids = append(ids, id)
			}
			n, err := do(r.Context(), ids)
			if err != nil {
				fail(w, err)
				return
			}
			_ = json.NewEncoder(w).Encode(n)
		})
	}
}

// QueueStats asks what waits.
func (c *Client) QueueStats(ctx context.Context) (QueueStats, error) {
	var s QueueStats
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
		return fmt.Errorf("the export is not whole: %w", err)
	}
	return nil
}

// DeadLetters calls line for every dead letter.
func (c *Client) DeadLetters(ctx context.Context, line func(DeadLetter) error) error {
	body, err := c.do(ctx, http.MethodGet, "/dead")
	if err != nil {
		return err
	}
	defer body.Close()
	in := json.NewDecoder(body)
	for {
		var d DeadLetter
		switch err := in.Decode(&d); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("the list is not whole: %w", err)
		}
		if err := line(d); err != nil {
			return err
		}
	}
}

// RetryDead has dead letters sent once more, without ids all, and tells how many there were.
func (c *Client) RetryDead(ctx context.Context, ids []int64) (int, error) {
	return c.dead(ctx, "/dead/retry", ids)
}

// DropDead removes dead letters, without ids all, and tells how many there were.
func (c *Client) DropDead(ctx context.Context, ids []int64) (int, error) {
	return c.dead(ctx, "/dead/drop", ids)
}

func (c *Client) dead(ctx context.Context, path string, ids []int64) (n int, err error) {
	var query []string
	for _, id := range ids {
		query = append(query, "id="+strconv.FormatInt(id, 10))
	}
	body, err := c.do(ctx, http.MethodPost, path+"?"+strings.Join(query, "&"))
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return n, json.NewDecoder(body).Decode(&n)
}
