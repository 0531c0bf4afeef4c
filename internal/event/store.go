package event

import (
	"fmt"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// StoreEvents returns what became of the store's file from one look at it to the next.
func StoreEvents(was, is buffer.Opened) (events []contract.StoreEvent) {
	if is.New && !was.New {
		events = append(events, contract.StoreEvent{State: contract.StoreNew})
	}
	if is.SetAside != was.SetAside {
		events = append(events, contract.StoreEvent{State: contract.StoreSetAside, Detail: fmt.Sprintf("%s: the damaged store is now %s", is.Cause, is.SetAside)})
	}
	if is.SetAside != "" && !is.Salvaging && (was.Salvaging || is.SetAside != was.SetAside) {
		detail := fmt.Sprintf("%d records were read from %s, %d could not be", is.Salvaged, is.SetAside, is.Lost)
		if is.Lost < 0 {
			detail = fmt.Sprintf("%d records were read from %s; how many could not be is not known", is.Salvaged, is.SetAside)
		}
		events = append(events, contract.StoreEvent{State: contract.StoreSalvaged, Detail: detail})
	}
	return events
}
