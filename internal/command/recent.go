package command

import (
	"encoding/json"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// Recent returns the newest commands of the ledger, newest first, at most max. Commands without an
// id have no place there.
func (r *Runner) Recent(max int) []contract.CommandRecord {
	var list []contract.CommandRecord
	for _, e := range r.ledger.recent(max) {
		c := contract.CommandRecord{Op: e.Op, ID: e.ID}
		if e.At > 0 {
			c.At = contract.Time{Time: time.Unix(e.At, 0)}
		}
		var reply contract.Reply
		if json.Unmarshal(e.Reply, &reply) == nil { // there is none while it runs
			c.State, c.Error = reply.State, reply.Error
		}
		list = append(list, c)
	}
	return list
}
