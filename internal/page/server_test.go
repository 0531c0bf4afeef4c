package page

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
)

var (
	onLoopback = config.Page{Listen: "127.0.0.1:8080", PasswordFile: "x"}
	onNetwork  = config.Page{Listen: "0.0.0.0:8443", PasswordFile: "x", SelfSigned: true, Hosts: []string{"gw1.example.com"}}
)

// ask makes a request of a page. Headers are names and values in turns.
func ask(p *Page, method, target, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, "http://localhost:8080/", strings.NewReader(body))
	if u, err := url.ParseRequestURI(target); err == nil {
		r.URL = u
	} else {
		r.URL = &url.URL{Path: target}
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	return w.Result()
}

// signedIn returns the cookie of a new session.
func signedInCookie(t *testing.T, p *Page) string {
	t.Helper()
	r := ask(p, "POST", "/login", "password=correct+horse")
	if len(r.Cookies()) != 1 {
		t.Fatalf("%s, no cookie", r.Status)
	}
	return r.Cookies()[0].Name + "=" + r.Cookies()[0].Value
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestHosts: a name that somebody makes point here sees nothing.
func TestHosts(t *testing.T) {
	for _, tt := range []struct {
		page config.Page
		host string
		code int
	}{
		{onLoopback, "127.0.0.1:8080", 200},
		{onLoopback, "localhost:18080", 200}, // ssh -L
		{onLoopback, "LOCALHOST", 200},
		{onLoopback, "[::1]:8080", 200},
		{onLoopback, "evil.example.com:8080", 421},
		{onLoopback, "127.0.0.1.evil.example.com", 421},
		{onLoopback, "localhost.evil.example.com", 421},
		{onLoopback, "192.168.1.7:8080", 421},
		{onLoopback, "", 421},
		{onLoopback, "[", 421},
		{onNetwork, "192.168.1.7:8443", 303},
		{onNetwork, "[fd00::7]:8443", 303},
		{onNetwork, "GW1.example.com:8443", 303},
		{onNetwork, "gw2.example.com:8443", 421},
		{config.Page{Listen: "192.168.1.7:8443", PasswordFile: "x", SelfSigned: true}, "192.168.1.7:8443", 303},
		{config.Page{Listen: "192.168.1.7:8443", PasswordFile: "x", SelfSigned: true}, "192.168.1.8:8443", 421},
	} {
		p := New(newSample().config(tt.page))
		for _, path := range []string{"/", "/page.css", "/events", "/log"} {
			if r := ask(p, "GET", path, "", "Host", tt.host, "Accept", "none"); path == "/" && r.StatusCode != tt.code || (r.StatusCode == 421) != (tt.code == 421) {
				t.Errorf("%s, Host %q, %s: %s, want %d", tt.page.Listen, tt.host, path, r.Status, tt.code)
			}
			if path == "/" && tt.code == 200 {
				break // events do not end
			}
		}
	}
}

// TestOtherSites: what another site's page makes a browser send is refused.
func TestOtherSites(t *testing.T) {
	p := New(newSample().config(onLoopback))
	cookie := signedInCookie(t, p)
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		code               int
	}{
		{"a link", "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		{"a frame", "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		{"an image", "GET", "/icon.svg", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 403},
		{"a neighbour", "GET", "/log", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"fetch", "GET", "/log", []string{"Origin", "http://evil.example.com"}, 403},
		{"fetch without an origin", "GET", "/log", []string{"Origin", "null"}, 403},
		{"another port", "GET", "/log", []string{"Origin", "http://localhost:9999"}, 403},
		{"its own", "GET", "/log", []string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"}, 200},
		{"a form", "POST", "/logout", []string{"Origin", "http://evil.example.com", "Sec-Fetch-Site", "cross-site"}, 403},
		{"a form by navigation", "POST", "/logout", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 403},
		{"its own form", "POST", "/logout", []string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"}, 303},
	} {
		r := ask(p, tt.method, tt.path, "", append(tt.headers, "Host", "localhost:8080", "Cookie", cookie)...)
		if r.StatusCode != tt.code {
			t.Errorf("%s: %s, want %d", tt.name, r.Status, tt.code)
		}
		for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", tt.name, name, got)
			}
		}
		if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: it is open to %q", tt.name, got)
		}
	}
}

// TestPathTricks: there are no other files, and no way out after signing in.
func TestPathTricks(t *testing.T) {
	p := New(newSample().config(onLoopback))
	for _, path := range []string{"/assets/page.css", "/../page.go", "/..%2f..%2fetc/passwd", "/%2e%2e/log", "//log", "/page.css/../log", "/log/", "/LOG", "/log%00", "/diagnostics.zip/x", "/.git/config", "/login/../log", "/events/1", "/" + strings.Repeat("a/", 4000)} {
		if r := ask(p, "GET", path, ""); r.StatusCode == 200 || r.StatusCode >= 500 {
			t.Errorf("GET %.60s: %s", path, r.Status)
		} else if to := r.Header.Get("Location"); to != "" && !strings.HasPrefix(to, "/") {
			t.Errorf("GET %.60s leads to %q", path, to)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "TRACE", "CONNECT", "PATCH", "XYZ"} {
		for _, path := range []string{"/", "/log", "/login", "/page.js"} {
			if r := ask(p, method, path, ""); r.StatusCode != http.StatusMethodNotAllowed && method != "CONNECT" || r.StatusCode == 200 {
				t.Errorf("%s %s: %s", method, path, r.Status)
			}
		}
	}
	for _, to := range []string{"//evil.example.com", "https://evil.example.com", "/\\evil.example.com", "javascript:alert(1)", "/events", ""} {
		r := ask(p, "POST", "/login", url.Values{"password": {"correct horse"}, "next": {to}}.Encode())
		if got := r.Header.Get("Location"); r.StatusCode != 303 || got != "/" {
			t.Errorf("next=%q: %s to %q", to, r.Status, got)
		}
	}
	for _, body := range []string{"%zz", "password=%", strings.Repeat("password=a&", 2000)} {
		if r := ask(p, "POST", "/login", body); r.StatusCode < 400 || r.StatusCode >= 500 {
			t.Errorf("POST /login %.20q: %s", body, r.Status)
		}
	}
}

// TestWhoSeesWhat: on the network nothing without the password, on loopback the state alone.
func TestWhoSeesWhat(t *testing.T) {
	for _, tt := range []struct {
		page         config.Page
		state, inner int // codes without a session
	}{
		{onLoopback, 200, 303},
		{config.Page{Listen: "127.0.0.1:8080"}, 200, 403},
		{onNetwork, 303, 303},
	} {
		p := New(newSample().config(tt.page))
		for path, want := range map[string]int{"/": tt.state, "/log": tt.inner, "/configuration": tt.inner, "/diagnostics": tt.inner, "/diagnostics.zip": tt.inner, "/page.css": 200, "/page.js": 200} {
			r := ask(p, "GET", path, "")
			if r.StatusCode != want {
				t.Errorf("%s %s: %s, want %d", tt.page.Listen, path, r.Status, want)
			}
			if body := text(t, r); want != 200 && (strings.Contains(body, "boiler") || strings.Contains(body, "broker.example.com")) {
				t.Errorf("%s %s shows the gateway", tt.page.Listen, path)
			}
			if want == 403 && !strings.Contains(text(t, ask(p, "GET", path, "")), "password_file = &#34;") && !strings.Contains(text(t, ask(p, "GET", path, "")), `password_file = "`) {
				t.Errorf("%s %s does not say how to set a password", tt.page.Listen, path)
			}
		}
		if tt.state == 303 {
			if r := ask(p, "GET", "/events", ""); r.StatusCode != 401 {
				t.Errorf("events: %s", r.Status)
			}
		}
	}
}

// TestCookie: what the browser is told of the session.
func TestCookie(t *testing.T) {
	for _, tt := range []struct {
		page config.Page
		want string
	}{{onLoopback, "fieldgate=; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"}, {onNetwork, "__Host-fieldgate=; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict"}} {
		p := New(newSample().config(tt.page))
		r := ask(p, "POST", "/login", "password=correct+horse&next=/log")
		cookie := r.Header.Get("Set-Cookie")
		name, rest, _ := strings.Cut(cookie, "=")
		token, attributes, _ := strings.Cut(rest, ";")
		if got := name + "=;" + attributes; got != tt.want || len(token) != 22 || r.Header.Get("Location") != "/log" {
			t.Errorf("%q, want %q with a token", cookie, tt.want)
		}
		if r := ask(p, "GET", "/log", "", "Cookie", name+"="+token); r.StatusCode != 200 {
			t.Errorf("with the session: %s", r.Status)
		}
		if r := ask(p, "GET", "/log", "", "Cookie", name+"="+token[:21]+"x"); r.StatusCode != 303 {
			t.Errorf("with a wrong token: %s", r.Status)
		}
		ask(p, "POST", "/logout", "", "Cookie", name+"="+token)
		if r := ask(p, "GET", "/log", "", "Cookie", name+"="+token); r.StatusCode != 303 {
			t.Errorf("after signing out: %s", r.Status)
		}
	}
}

// TestHostileTexts: what a device, a broker or the cloud says is text, in the page and in the
// stream.
func TestHostileTexts(t *testing.T) {
	const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\r\n\r\nevent: page\rdata: x\n{}{{.}}"
	s := newSample()
	s.set("boiler", contract.Value{Field: hostile, Unit: hostile, Value: hostile}, contract.Value{Field: "b", Bad: hostile})
	s.commands = []contract.CommandRecord{{Op: hostile, ID: hostile, State: hostile, Error: hostile}}
	s.lines = []string{hostile}
	s.change(func(l *contract.LocalStatus) {
		l.Gateway, l.Version, l.Board, l.System, l.Broker, l.Proxy, l.Clock, l.Config = hostile, hostile, hostile, hostile, hostile, hostile, hostile, hostile
		l.Problem, l.Health.Reasons, l.Health.Alarms = []string{hostile}, []string{hostile}, []string{hostile}
		l.Health.Link.Error, l.Health.Link.Connected, l.Health.Run = hostile, false, hostile
		l.Health.Sensors = map[string]contract.SensorHealth{"boiler": {State: hostile, Error: hostile, Bad: map[string]string{hostile: hostile}}}
		l.Shadow.Rejected, l.Origins = map[string]string{hostile: hostile}, map[string]string{hostile: hostile}
		l.Settings = []contract.Setting{{Key: hostile, Value: hostile, From: hostile}}
	})
	p := New(s.config(onLoopback))
	p.Lost([]contract.Loss{{Run: hostile, Sensor: hostile, Reason: hostile}})
	p.Link(contract.LinkHealth{Error: hostile})
	cookie := signedInCookie(t, p)
	for _, path := range []string{"/", "/log", "/configuration"} {
		r := ask(p, "GET", path, "", "Cookie", cookie)
		body := text(t, r)
		if r.StatusCode != 200 || !strings.Contains(body, "&lt;script&gt;") || strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") || strings.Contains(body, `script&gt;"`) || strings.Contains(body, "&#34;'") {
			t.Errorf("%s: %s:\n%s", path, r.Status, body)
		}
	}
	var b strings.Builder
	for _, part := range p.frame().parts {
		event(&b, "part", part.id+"\n"+string(part.html))
	}
	for line := range strings.SplitSeq(b.String(), "\n") {
		if line != "" && line != "event: part" && !strings.HasPrefix(line, "data: ") || strings.ContainsAny(line, "\r") {
			t.Errorf("the stream has the line %q", line)
		}
	}
}

// TestBundle: the diagnostics are whole.
func TestBundle(t *testing.T) {
	s := newSample()
	p, server := s.serve(t, onLoopback)
	request, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/diagnostics.zip", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Cookie", signedInCookie(t, p))
	r, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body := []byte(text(t, r))
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatalf("%s: %v", r.Status, err)
	}
	var names []string
	all := ""
	for _, f := range z.File {
		names = append(names, f.Name)
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		all += string(content)
	}
	if want := []string{"status.json", "history.json", "log.txt", "configuration.txt", "process.json"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
	for _, want := range []string{"hall-climate", "no route to host", `gateway.id = "plant7-gw1"  # fieldgate.toml:2`, "session_present=true", "goroutines"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(all, s.password) {
		t.Error("the password is in it")
	}
}
