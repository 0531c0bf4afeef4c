package page

import (
	"context"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/internal/bounded"
)

const (
	// maxConnections leaves each of the viewers three for what it opens beside its stream.
	maxConnections = 32
	lastAnswers    = time.Second // for answers that are being given when the gateway ends

	policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

//go:embed assets
var assets embed.FS

// Serve serves the page on l until ctx ends, and closes l.
func (p *Page) Serve(ctx context.Context, l net.Listener) error {
	s := bounded.Server(p.Handler())
	s.BaseContext, s.ErrorLog = func(net.Listener) context.Context { return ctx }, slog.NewLogLogger(p.cfg.Log.Handler(), slog.LevelDebug)
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true) // whose connections bound what a viewer can ask for at a time
	l = &limit{Listener: l, most: maxConnections, log: p.cfg.Log}
	if p.certs != nil {
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.certs.get, NextProtos: []string{"http/1.1"}})
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		closing, cancel := context.WithTimeout(context.Background(), lastAnswers)
		defer cancel()
		_ = s.Shutdown(closing)
		_ = s.Close()
	})
	p.cfg.Log.Info("status page", "url", p.url())
	err := s.Serve(l)
	if !stop() {
		<-ended
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("page.listen: %w", err)
	}
	return nil
}

// url returns where the page is, by an address that others reach it at if it is for the network.
func (p *Page) url() string {
	scheme := "http"
	if p.certs != nil {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(p.cfg.Page.Listen)
	if err != nil {
		return "" // the configuration was checked
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = outside()
	}
	if len(p.cfg.Page.Hosts) > 0 {
		host = p.cfg.Page.Hosts[0]
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}

// outside returns the address from which packets to others would leave. Nothing is sent for that.
func outside() string {
	for _, to := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // addresses that nobody has
		c, err := net.Dial("udp", to)
		if err != nil {
			continue
		}
		defer c.Close()
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
			return a.IP.String()
		}
	}
	return "localhost"
}

// Handler serves the page.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	files := http.NewServeMux()
	for name, kind := range map[string]string{"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		text, err := fs.ReadFile(assets, "assets/"+name)
		if err != nil {
			panic(err) // they are in the program
		}
		tag := `"` + sum(string(text)) + `"`
		files.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("ETag", tag)
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(text)))
		})
		mux.Handle("/"+name, files)
	}
	mux.HandleFunc("GET /{$}", p.forViewers(p.serveState))
	mux.HandleFunc("GET /events", p.forViewers(p.serveEvents))
	mux.HandleFunc("GET /log", p.forSignedIn(p.serveLog))
	mux.HandleFunc("GET /configuration", p.forSignedIn(p.serveFiles))
	mux.HandleFunc("GET /diagnostics", p.forSignedIn(p.serveDiagnostics))
	mux.HandleFunc("GET /diagnostics.zip", p.forSignedIn(p.serveBundle))
	mux.HandleFunc("GET /login", p.serveLogin)
	mux.HandleFunc("POST /login", p.signIn)
	mux.HandleFunc("POST /logout", p.signOut)
	return p.guard(mux)
}

// guard refuses requests that are not meant for this page, or that another site makes.
func (p *Page) guard(next http.Handler) http.Handler {
	posts := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !p.answersTo(r.Host) {
			http.Error(w, "The status page does not answer to this name. To have it do so, add the name to page.hosts in the configuration.", http.StatusMisdirectedRequest)
			return
		}
		if foreign(r) || posts.Check(r) != nil {
			http.Error(w, "The request comes from another site.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answersTo reports whether a Host header names this page: an address is no name that somebody
// could make point here.
func (p *Page) answersTo(header string) bool {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	host = strings.Trim(strings.ToLower(host), "[]")
	if host == "localhost" || slices.ContainsFunc(p.cfg.Page.Hosts, func(name string) bool { return strings.EqualFold(name, host) }) {
		return true
	}
	listen, _, err := net.SplitHostPort(p.cfg.Page.Listen)
	ip, at := net.ParseIP(host), net.ParseIP(listen)
	switch {
	case err != nil || ip == nil:
		return false
	case ip.IsLoopback() || listen == "" || at != nil && at.IsUnspecified():
		return true
	}
	return ip.Equal(at)
}

// foreign reports whether another site makes a request. A link there may open the page.
func foreign(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			return true
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}

// forViewers asks for the password if the page is for the network.
func (p *Page) forViewers(serve http.HandlerFunc) http.HandlerFunc {
	if p.cfg.Page.Local() {
		return serve
	}
	return p.forSignedIn(serve)
}

// forSignedIn asks for the password.
func (p *Page) forSignedIn(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case p.gate.open(p.token(r)):
			serve(w, r)
		case r.URL.Path == "/events":
			http.Error(w, "The session has ended: sign in again.", http.StatusUnauthorized)
		case !p.cfg.Page.Password():
			p.sendNoPassword(w, r)
		default:
			http.Redirect(w, r, "/login?next="+url.QueryEscape(strings.TrimSuffix(r.URL.Path, ".zip")), http.StatusSeeOther)
		}
	}
}

// cookie is the name of the session's cookie. Browsers take __Host- from where it is served alone.
func (p *Page) cookie() string {
	if p.certs != nil {
		return "__Host-fieldgate"
	}
	return "fieldgate"
}

func (p *Page) token(r *http.Request) string {
	c, err := r.Cookie(p.cookie())
	if err != nil {
		return ""
	}
	return c.Value
}

func (p *Page) setCookie(w http.ResponseWriter, token string, age int) {
	http.SetCookie(w, &http.Cookie{Name: p.cookie(), Value: token, Path: "/", MaxAge: age, HttpOnly: true, Secure: p.certs != nil, SameSite: http.SameSiteStrictMode})
}

// next is where a viewer goes after signing in.
func next(path string) string {
	switch path {
	case "/log", "/configuration", "/diagnostics":
		return path
	}
	return "/"
}

func (p *Page) serveLogin(w http.ResponseWriter, r *http.Request) {
	if p.gate.open(p.token(r)) {
		http.Redirect(w, r, next(r.URL.Query().Get("next")), http.StatusSeeOther)
		return
	}
	if !p.cfg.Page.Password() {
		p.sendNoPassword(w, r)
		return
	}
	p.sendLogin(w, r, http.StatusOK, next(r.URL.Query().Get("next")), "")
}

func (p *Page) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read.", http.StatusBadRequest)
		return
	}
	token, result, wait := p.gate.signIn(r.RemoteAddr, r.PostForm.Get("password"))
	to := next(r.PostForm.Get("next"))
	switch result {
	case signedIn:
		p.setCookie(w, token, int(sessionLife.Seconds()))
		http.Redirect(w, r, to, http.StatusSeeOther)
	case tooOften:
		seconds := int(wait.Seconds()) + 1
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		p.sendLogin(w, r, http.StatusTooManyRequests, to, fmt.Sprintf("Too many wrong passwords. Try again in %d seconds.", seconds))
	case unreadable:
		p.sendLogin(w, r, http.StatusServiceUnavailable, to, "The gateway cannot read the password that it compares with. Its log says why.")
	default:
		p.sendLogin(w, r, http.StatusUnauthorized, to, "The password is wrong.")
	}
}

func (p *Page) signOut(w http.ResponseWriter, r *http.Request) {
	p.gate.signOut(p.token(r))
	p.setCookie(w, "", -1)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
