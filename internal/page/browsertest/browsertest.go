// Package browsertest drives Chromium in tests, by its DevTools protocol.
package browsertest

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const (
	startWait  = 30 * time.Second
	answerWait = 20 * time.Second
	maxMessage = 64 << 20 // bytes: screenshots
)

// A Browser is a running Chromium with one page.
type Browser struct {
	t       testing.TB
	conn    *websocket.Conn
	session string

	sending sync.Mutex
	mu      sync.Mutex
	next    int
	waiting map[int]chan message
	said    []string // console messages, exceptions, errors of the browser's log
	asked   []string // URLs
	ended   error
}

type message struct {
	ID        int             `json:"id"`
	Method    string          `json:"method"`
	Params    json.RawMessage `json:"params"`
	SessionID string          `json:"sessionId"`
	Result    json.RawMessage `json:"result"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Open starts Chromium for a test, or skips it if there is none. It ends with the test.
func Open(t testing.TB, flags ...string) *Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0", "--user-data-dir=" + t.TempDir()}, append(flags, "about:blank")...)...)
	errors, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		stop()
		t.Fatal(err)
	}
	address := make(chan string, 1)
	drained := make(chan struct{})
	go func() { // ends with the process
		defer close(drained)
		lines := bufio.NewScanner(errors)
		for lines.Scan() {
			if _, ws, found := strings.Cut(lines.Text(), "DevTools listening on "); found {
				address <- ws
			}
		}
	}()
	b := &Browser{t: t, waiting: map[int]chan message{}}
	var reading sync.WaitGroup
	t.Cleanup(func() {
		if b.conn != nil {
			_ = b.send(0, "", "Browser.close", nil) // it takes its children with it
			b.conn.Close()
		}
		stopped := time.AfterFunc(3*time.Second, stop)
		<-drained
		_ = cmd.Wait()
		stopped.Stop()
		stop()
		reading.Wait()
	})
	select {
	case ws := <-address:
		b.conn, _, err = websocket.DefaultDialer.Dial(ws, nil)
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(startWait):
		t.Fatal("chromium does not say where its DevTools are")
	}
	b.conn.SetReadLimit(maxMessage)
	reading.Go(b.read)
	var target struct{ TargetID string }
	b.Call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.Call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network", "Security"} {
		b.Call(domain+".enable", nil, nil)
	}
	return b
}

// read takes in answers and events until the connection ends.
func (b *Browser) read() {
	for {
		var m message
		err := b.conn.ReadJSON(&m)
		b.mu.Lock()
		if err != nil {
			b.ended = err
			for _, c := range b.waiting {
				close(c)
			}
			b.waiting = map[int]chan message{}
			b.mu.Unlock()
			return
		}
		if c := b.waiting[m.ID]; c != nil {
			delete(b.waiting, m.ID)
			c <- m
		} else {
			b.noteLocked(&m)
		}
		b.mu.Unlock()
	}
}

func (b *Browser) noteLocked(m *message) {
	var p struct {
		Request          struct{ URL string }
		Type             string
		Args             []struct{ Value any }
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
		Entry struct{ Level, Text, URL string }
	}
	_ = json.Unmarshal(m.Params, &p)
	switch m.Method {
	case "Network.requestWillBeSent":
		b.asked = append(b.asked, p.Request.URL)
	case "Runtime.consoleAPICalled":
		b.said = append(b.said, fmt.Sprintf("console.%s: %v", p.Type, p.Args))
	case "Runtime.exceptionThrown":
		b.said = append(b.said, fmt.Sprintf("exception: %s %s", p.ExceptionDetails.Text, p.ExceptionDetails.Exception.Description))
	case "Log.entryAdded":
		b.said = append(b.said, fmt.Sprintf("log %s: %s %s", p.Entry.Level, p.Entry.Text, p.Entry.URL))
	}
}

func (b *Browser) send(id int, session, method string, params any) error {
	m := map[string]any{"id": id, "method": method}
	if params != nil {
		m["params"] = params
	}
	if session != "" {
		m["sessionId"] = session
	}
	b.sending.Lock()
	defer b.sending.Unlock()
	return b.conn.WriteJSON(m)
}

// Call calls a method of the protocol and reads its result into the struct that result points to,
// if it is not nil.
func (b *Browser) Call(method string, params, result any) {
	b.t.Helper()
	if err := b.call(method, params, result); err != nil {
		b.t.Fatal(err)
	}
}

func (b *Browser) call(method string, params, result any) error {
	answer := make(chan message, 1)
	b.mu.Lock()
	b.next++
	id := b.next
	b.waiting[id] = answer
	b.mu.Unlock()
	if err := b.send(id, b.session, method, params); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("%s: chromium has ended", method)
		case m.Error != nil:
			return fmt.Errorf("%s %v: %s", method, params, m.Error.Message)
		case result == nil:
			return nil
		}
		if err := json.Unmarshal(m.Result, result); err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		return nil
	case <-time.After(answerWait):
		return fmt.Errorf("%s: no answer", method)
	}
}

// Go opens a URL and waits until the page is loaded.
func (b *Browser) Go(to string) {
	b.t.Helper()
	var r struct{ ErrorText string }
	b.Call("Page.navigate", map[string]any{"url": to}, &r)
	if r.ErrorText != "" {
		b.t.Fatalf("%s: %s", to, r.ErrorText)
	}
	b.Eventually(answerWait, "the page is loaded", `document.readyState === "complete" && location.href !== "about:blank"`)
}

// Eval returns the value of an expression in the page.
func (b *Browser) Eval(expression string) any {
	b.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	b.Call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails.Exception.Description)
	}
	return r.Result.Value
}

// Text is Eval for a text.
func (b *Browser) Text(expression string) string {
	b.t.Helper()
	text, _ := b.Eval(expression).(string)
	return text
}

// Eventually waits until an expression is true, and returns how long that took. Between two pages
// there is none that could answer.
func (b *Browser) Eventually(limit time.Duration, what, expression string) time.Duration {
	b.t.Helper()
	began := time.Now()
	for {
		var r struct{ Result struct{ Value any } }
		err := b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &r)
		if err == nil && r.Result.Value == true {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			b.t.Fatalf("after %v still not: %s (%v)\n%s", limit, what, err, b.Text("document.body && document.body.innerText"))
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// Key presses a key, such as "Tab" or "Enter".
func (b *Browser) Key(name string) {
	b.t.Helper()
	code := map[string]int{"Tab": 9, "Enter": 13}[name]
	down := map[string]any{"type": "keyDown", "key": name, "code": name, "windowsVirtualKeyCode": code}
	if name == "Enter" {
		down["text"] = "\r"
	}
	b.Call("Input.dispatchKeyEvent", down, nil)
	b.Call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name, "code": name, "windowsVirtualKeyCode": code}, nil)
}

// Type types a text where the focus is.
func (b *Browser) Type(text string) { b.Call("Input.insertText", map[string]any{"text": text}, nil) }

// Scripts allows scripts in pages, or not.
func (b *Browser) Scripts(on bool) {
	b.Call("Emulation.setScriptExecutionDisabled", map[string]any{"value": !on}, nil)
}

// Look sets the size of the window in CSS pixels, how many pixels of the screen each has, and
// whether the viewer prefers dark colours.
func (b *Browser) Look(wide, high int, scale float64, dark bool) {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": wide, "height": high, "deviceScaleFactor": scale, "mobile": wide < 600}, nil)
	b.Call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Screenshot returns the window as PNG.
func (b *Browser) Screenshot() []byte {
	b.t.Helper()
	var r struct{ Data string }
	b.Call("Page.captureScreenshot", map[string]any{"format": "png", "optimizeForSpeed": false}, &r)
	png, err := base64.StdEncoding.DecodeString(r.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	return png
}

// Said returns what the pages had to complain about since the last call.
func (b *Browser) Said() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := b.said
	b.said = nil
	return said
}

// Foreign returns the URLs that were asked for elsewhere than at a host.
func (b *Browser) Foreign(host string) (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range b.asked {
		if p, err := url.Parse(u); err != nil || p.Host != host && u != "about:blank" {
			list = append(list, u)
		}
	}
	return list
}
