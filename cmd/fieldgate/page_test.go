package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/page/browsertest"
)

const pagePassword = "correct horse battery"

// newPageGateway is a gateway with a status page on this machine and sensors that change.
func newPageGateway(t testing.TB, broker string) (g *gatewayRig, host string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host = l.Addr().String()
	l.Close()
	g = newGateway(t, broker, "")
	text := fmt.Sprintf("[page]\nlisten = %q\npassword_file = %q\n", host, g.path("page-password")) + `
[telemetry]
batch_max = 1
[[sensor]]
name = "wave"
driver = "sim"
every = "100ms"
[sensor.options]
field = "level"
unit = "Cel"
shape = "sine"
period = 40
noise = 0.1
[[sensor]]
name = "board"
driver = "host"
every = "1s"
`
	g.configure(broker, text)
	g.mqtt("publish_rate = 25") // of messages with one reading each: a drain takes long enough to be seen
	if err := os.WriteFile(g.path("page-password"), []byte(pagePassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return g, host
}

// TestStatusPage: what a person sees in a browser while a broker goes and comes.
func TestStatusPage(t *testing.T) {
	broker := newMosquitto(t)
	g, host := newPageGateway(t, broker.url())
	b := browsertest.Open(t)
	g.running()
	g.online()
	b.Go("http://" + host + "/")
	b.Eventually(3*time.Second, "the first value is there", `document.querySelector("#s1 td.num") !== null && document.querySelector("#tiles").innerText.includes("Online")`)

	b.Eval(`window.seen = new Set(); window.drained = new Set(); setInterval(() => {
		const v = document.querySelector("#s1 td.num"), d = document.querySelector("progress.drain");
		if (v) seen.add(v.innerText);
		if (d) drained.add(d.value);
	}, 50); true`)
	b.Eventually(5*time.Second, "values change when readings arrive", `seen.size >= 3`)

	broker.stop()
	took := b.Eventually(2*time.Second, "an outage shows", `document.querySelector("#tiles").innerText.includes("Offline") && document.querySelector("#announce").innerText.includes("Offline")`)
	t.Logf("an outage of the broker shows after %v", took.Round(time.Millisecond))
	b.Eventually(20*time.Second, "what waits is counted", `parseInt(document.querySelector(".tile:last-child .big").innerText.replace(/\s/g, "")) > 40`)
	broker.start()
	b.Eventually(10*time.Second, "the link is back", `document.querySelector("#tiles").innerText.includes("Online")`)
	b.Eventually(20*time.Second, "the backlog is gone", `document.querySelector("progress.drain") === null`)
	if n := b.Eval(`[...drained].filter(v => v > 0 && v < 100).length`).(float64); n < 2 {
		t.Errorf("a drain shows no progress: %v", b.Eval(`[...drained]`))
	}
	if !b.Eval(`document.querySelector("#link").innerText.includes("1 outage since the start")`).(bool) {
		t.Errorf("the outage is not in the history:\n%s", b.Text(`document.querySelector("#link").innerText`))
	}
	if said := b.Said(); len(said) > 0 {
		t.Errorf("the console has %q", said)
	}

	b.Scripts(false)
	b.Go("http://" + host + "/")
	if text := b.Text("document.body.innerText"); !strings.Contains(text, "level") || !strings.Contains(text, "Online") || !strings.Contains(b.Text(`document.head.innerHTML`), `http-equiv="refresh"`) {
		t.Errorf("without scripts:\n%s\n%s", b.Text("document.head.innerHTML"), text)
	}
	b.Scripts(true)

	signInAsPerson(t, b, host)
	if list := b.Foreign(host); len(list) > 0 {
		t.Errorf("the page asks others: %q", list)
	}

	b.Go("http://" + host + "/")
	before := b.Text(`document.body.dataset.page`)
	g.kill()
	b.Eventually(8*time.Second, "the page says that the gateway is gone", `!document.querySelector("#lost").hidden && document.querySelector("#lost").innerText.includes("The connection to the gateway is lost")`)
	g.running()
	b.Eventually(10*time.Second, "the page of the new run comes by itself", fmt.Sprintf(`document.body && document.body.dataset.page && document.body.dataset.page !== %q && document.querySelector("#lost").hidden`, before))
}

// signInAsPerson signs in and out by the keyboard, and then tries wrong passwords until there are
// too many.
func signInAsPerson(t *testing.T, b *browsertest.Browser, host string) {
	t.Helper()
	try := func(password string) {
		t.Helper()
		b.Eventually(5*time.Second, "the form has the focus", `document.activeElement && document.activeElement.id === "password"`)
		b.Type(password)
		b.Eval(`window.old = true`)
		b.Key("Enter")
		b.Eventually(5*time.Second, "an answer", `window.old !== true && document.readyState === "complete"`)
	}
	b.Go("http://" + host + "/log")
	try(pagePassword)
	if text := b.Text("document.body.innerText"); !strings.Contains(text, "msg") && !strings.Contains(text, "running gateway=gw") {
		t.Errorf("the log is not shown:\n%s", text)
	}
	b.Go("http://" + host + "/configuration")
	if text := b.Text("document.body.innerText"); !strings.Contains(text, "page.password_file") || strings.Contains(text, pagePassword) {
		t.Errorf("the configuration:\n%s", text)
	}
	b.Eval(`document.querySelector("form[action='/logout'] button").click()`)
	b.Eventually(5*time.Second, "signed out", `document.querySelector("form[action='/logout']") === null && document.readyState === "complete"`)
	for i := range 6 {
		b.Go("http://" + host + "/log")
		try("wrong")
		want := "The password is wrong."
		if i == 5 {
			want = "Too many wrong passwords. Try again in"
		}
		if text := b.Text("document.body.innerText"); !strings.Contains(text, want) {
			t.Errorf("after %d wrong passwords:\n%s", i+1, text)
		}
	}
	b.Said() // answers 401 and 429 are in the console
}
