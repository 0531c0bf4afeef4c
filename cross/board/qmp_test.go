package board

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// A qmp is a connection to QEMU's machine protocol.
type qmp struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// connect connects to one of QEMU's sockets, which come up soon after its start.
func (m *machine) connect(name string, ended chan error) net.Conn {
	m.t.Helper()
	for begin := time.Now(); ; {
		conn, err := net.Dial("unix", m.socket(name))
		if err == nil {
			return conn
		}
		select {
		case end := <-ended:
			m.t.Fatalf("QEMU ended at once: %v", end)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Since(begin) > 20*time.Second {
			m.t.Fatal(err)
		}
	}
}

func newQMP(t *testing.T, conn net.Conn) *qmp {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	q := &qmp{t: t, conn: conn, in: bufio.NewReader(conn)}
	if _, err := q.receive(); err != nil { // the greeting
		t.Fatal(err)
	}
	q.do("qmp_capabilities", nil)
	return q
}

// A message is what QEMU sends.
type message struct {
	Event  string
	Return json.RawMessage
	Error  *struct{ Class, Desc string }
}

func (q *qmp) receive() (message, error) {
	var m message
	if err := q.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return m, err
	}
	text, err := q.in.ReadBytes('\n')
	if err != nil {
		return m, fmt.Errorf("qmp: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("qmp: %w in %s", err, text)
	}
	return m, nil
}

func (q *qmp) execute(command string, arguments map[string]any) error {
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := q.conn.Write(append(text, '\n')); err != nil {
		return err
	}
	for {
		m, err := q.receive()
		switch {
		case err != nil:
			return err
		case m.Event != "":
		case m.Error != nil:
			return errors.New(m.Error.Desc)
		default:
			return nil
		}
	}
}

// do executes a command, which must succeed.
func (q *qmp) do(command string, arguments map[string]any) {
	q.t.Helper()
	if err := q.execute(command, arguments); err != nil {
		q.t.Fatalf("qmp %s %v: %v", command, arguments, err)
	}
}

// set sets a property of a device.
func (q *qmp) set(id, property string, value int) {
	q.t.Helper()
	q.do("qom-set", map[string]any{"path": "/machine/peripheral/" + id, "property": property, "value": value})
}
