package mqtt

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A proxy is an HTTP or SOCKS5 proxy for one kind of tests: it takes every user but those without
// the password "secret".
type proxy struct {
	t        *testing.T
	listener net.Listener
	serve    func(p *proxy, nc net.Conn) (target string, err error)
	password bool // is asked for
	asked    chan string
}

func startProxy(t *testing.T, serve func(*proxy, net.Conn) (string, error)) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: l, serve: serve, asked: make(chan string, 100)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go p.handle(nc)
		}
	}()
	return p
}

func (p *proxy) handle(nc net.Conn) {
	defer nc.Close()
	target, err := p.serve(p, nc)
	if err != nil {
		return
	}
	p.asked <- target
	broker, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer broker.Close()
	go func() {
		_, _ = io.Copy(broker, nc)
		broker.Close()
	}()
	_, _ = io.Copy(nc, broker)
}

func (p *proxy) url(scheme, user string) *url.URL {
	return &url.URL{Scheme: scheme, User: url.UserPassword(user, "secret"), Host: p.listener.Addr().String()}
}

// httpProxy lets net/http read the request.
func httpProxy(p *proxy, nc net.Conn) (string, error) {
	r, err := http.ReadRequest(bufio.NewReader(nc))
	if err != nil {
		return "", err
	}
	if r.Method != http.MethodConnect || r.Host != r.URL.Host {
		p.t.Errorf("request %s %s for host %s", r.Method, r.URL, r.Host)
	}
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:secret")); p.password && r.Header.Get("Proxy-Authorization") != want {
		_, err = io.WriteString(nc, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return "", errors.Join(err, errors.New("no password"))
	}
	_, err = io.WriteString(nc, "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
	return r.Host, err
}

// socksProxy reads RFC 1928 by hand.
func socksProxy(p *proxy, nc net.Conn) (string, error) {
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(nc, b); err != nil {
			return make([]byte, n)
		}
		return b
	}
	methods := read(int(read(2)[1]))
	if p.password {
		if !bytes.Contains(methods, []byte{2}) {
			_, _ = nc.Write([]byte{5, 0xff})
			return "", errors.New("no password")
		}
		_, _ = nc.Write([]byte{5, 2})
		user := read(int(read(2)[1]))
		password := read(int(read(1)[0]))
		if string(user) != "user" || string(password) != "secret" {
			_, _ = nc.Write([]byte{1, 1})
			return "", errors.New("wrong password")
		}
		_, _ = nc.Write([]byte{1, 0})
	} else {
		_, _ = nc.Write([]byte{5, 0})
	}
	var host string
	switch head := read(4); head[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	}
	port := read(2)
	target := net.JoinHostPort(host, (&net.TCPAddr{Port: int(port[0])<<8 | int(port[1])}).String()[1:])
	if host == "refused.invalid" {
		_, _ = nc.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return "", errors.New("refused")
	}
	_, err := nc.Write([]byte{5, 0, 0, 3, 4, 'n', 'a', 'm', 'e', 0, 1}) // bound to a name
	return target, err
}

// TestProxies reaches mosquitto through both kinds of proxies, with and without a password, with
// TLS inside.
func TestProxies(t *testing.T) {
	dir := t.TempDir()
	ca := newCertificate(t, dir, "ca", nil)
	server := newCertificate(t, dir, "server", ca)
	port := freePort(t)
	plain := tcpMosquitto(t, "listener "+port+" 127.0.0.1\ncertfile "+server.cert+"\nkeyfile "+server.key+"\n")
	roots := x509.NewCertPool()
	roots.AddCert(ca.parsed)
	for _, kind := range []struct {
		scheme string
		serve  func(*proxy, net.Conn) (string, error)
	}{{"http", httpProxy}, {"socks5", socksProxy}} {
		for _, broker := range []string{plain, strings.Replace(plain, "127.0.0.1", "localhost", 1), "mqtts://127.0.0.1:" + port} {
			for _, password := range []bool{false, true} {
				p := startProxy(t, kind.serve)
				p.password = password
				via := p.url(kind.scheme, "user")
				if !password {
					via.User = nil
				}
				k := start(t, Config{
					URLs: []string{broker}, Subscriptions: []Subscription{{Filter: "t/#", QoS: ExactlyOnce}},
					Dial: Dialer{Proxy: func(*url.URL) (*url.URL, error) { return via, nil }}.Dial,
					TLS:  func(context.Context) (*tls.Config, error) { return &tls.Config{RootCAs: roots}, nil },
				})
				k.await(t, Connected)
				if target := <-p.asked; !strings.HasSuffix(broker, "//"+target) {
					t.Errorf("%v was asked for %s, want %s", via, target, broker)
				}
				roundTrip(t, k)
				k.close(t, false)
			}
		}
	}
}

// TestProxyErrors checks that what goes wrong is said, without the password.
func TestProxyErrors(t *testing.T) {
	say := func(answer string) func(*proxy, net.Conn) (string, error) {
		return func(_ *proxy, nc net.Conn) (string, error) {
			_, _ = io.ReadFull(nc, make([]byte, 3))
			_, _ = io.WriteString(nc, answer)
			_ = nc.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, nc) // closing with unread input would destroy the answer
			return "", errors.New("said")
		}
	}
	mute := func(_ *proxy, nc net.Conn) (string, error) {
		_, err := io.Copy(io.Discard, nc)
		return "", errors.Join(err, errors.New("mute"))
	}
	for _, v := range []struct {
		name, scheme, user string
		serve              func(*proxy, net.Conn) (string, error)
		want               string
	}{
		{"HTTP without password", "http", "", httpProxy, "wants a user name and password"},
		{"HTTP wrong password", "http", "other", httpProxy, "not accept the user name and password"},
		{"HTTP refuses", "http", "", say("HTTP/1.1 503 Busy\r\n\r\n"), "503 Busy"},
		{"HTTP is none", "http", "", say("SSH-2.0-x\r\n\r\n"), "not HTTP"},
		{"HTTP ends", "http", "", say("HTTP/1.1 200"), "EOF"},
		{"HTTP floods", "http", "", say("HTTP/1.1 200 " + strings.Repeat("x", maxProxyHeader)), "longer than"},
		{"HTTP garbage", "http", "", say(strings.Repeat("x", maxProxyHeader+1)), "not HTTP"},
		{"HTTP without a header", "http", "", say("<html><body>Please log in</body></html>"), "not HTTP"},
		{"HTTP log-in page", "http", "", say("HTTP/1.1 200 OK\r\ncontent-type: Text/HTML; charset=utf-8\r\n\r\n<html>"), "a page of HTML"},
		{"HTTP 302", "http", "", say("HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n"), "302 Found"},
		{"SOCKS without password", "socks5", "", socksProxy, "wants a user name and password"},
		{"SOCKS wrong password", "socks5", "other", socksProxy, "not accept"},
		{"SOCKS refuses", "socks5", "user", socksProxy, "connection refused"},
		{"SOCKS is none", "socks5", "", say("HTTP/1.1 400"), "not speak SOCKS5"},
		{"SOCKS takes no password", "socks5", "user", say("\x05\x00"), "takes no user name"},
		{"SOCKS ends", "socks5", "", say("\x05\x00\x05\x00\x00\x01"), "waiting"},
		{"SOCKS odd address", "socks5", "", say("\x05\x00\x05\x00\x00\x09\x00"), "address type 9"},
		{"SOCKS unknown failure", "socks5", "", say("\x05\x00\x05\x77"), "code 119"},
		{"mute HTTP", "http", "", mute, "deadline"},
		{"mute SOCKS", "socks5", "", mute, "deadline"},
		{"unknown kind", "ftp", "", mute, "want http:// or socks5://"},
	} {
		t.Run(v.name, func(t *testing.T) {
			p := startProxy(t, v.serve)
			p.password = true
			via := p.url(v.scheme, v.user)
			if v.user == "" {
				via.User = nil
			}
			timeout := testTimeout
			if v.want == "deadline" {
				timeout = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			d := Dialer{Proxy: func(*url.URL) (*url.URL, error) { return via, nil }}
			nc, err := d.Dial(ctx, &url.URL{Scheme: "mqtt", Host: "refused.invalid"}, nil)
			if err == nil {
				nc.Close()
			}
			if err == nil || !strings.Contains(err.Error(), v.want) || strings.Contains(err.Error(), "secret") {
				t.Error(err)
			}
			if d := Diagnose(err); !strings.Contains(d.Cause, "proxy "+v.scheme) || !strings.Contains(d.Remedy, "proxy") || strings.Contains(d.Cause, "secret") {
				t.Errorf("diagnosis %+v", d)
			}
		})
	}
	d := Dialer{Proxy: func(*url.URL) (*url.URL, error) { return nil, os.ErrPermission }}
	if _, err := d.Dial(t.Context(), &url.URL{Scheme: "mqtt", Host: "b"}, nil); !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
	if _, err := (Dialer{}).Dial(t.Context(), &url.URL{Scheme: "ws", Host: "b"}, nil); err == nil {
		t.Error("the built-in transports took ws://")
	}
}

// TestWriteProgress writes to a peer that reads slower than writeTimeout allows for the whole, and
// to one that stops, with TLS and without.
func TestWriteProgress(t *testing.T) {
	dir := t.TempDir()
	ca := newCertificate(t, dir, "ca", nil)
	server := newCertificate(t, dir, "server", ca)
	pair, err := tls.LoadX509KeyPair(server.cert, server.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, encrypted := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[encrypted], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				defer ours.Close()
				defer theirs.Close()
				slow := &slowReader{Conn: theirs}
				var near, far net.Conn = withProgress(ours), slow
				if encrypted {
					far = tls.Server(slow, &tls.Config{Certificates: []tls.Certificate{pair}})
					go func() { _ = far.(*tls.Conn).Handshake() }()
					var err error
					if near, err = secure(t.Context(), ours, "127.0.0.1", &tls.Config{InsecureSkipVerify: true}); err != nil {
						t.Fatal(err)
					}
					near = withProgress(near) // as the client does with what Dial returns
				}
				synctest.Wait()
				slow.pause.Store(int64(15 * time.Second))
				go func() { _, _ = io.CopyN(io.Discard, far, 4000) }()
				begin := time.Now()
				if n, err := near.Write(make([]byte, 4000)); n != 4000 || err != nil {
					t.Errorf("%d bytes written: %v", n, err)
				}
				if d := time.Since(begin); d < 2*writeTimeout {
					t.Errorf("written in %v: the peer was not slow", d)
				}
				begin = time.Now()
				if _, err := near.Write(make([]byte, 4000)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a peer that stopped: %v", err)
				}
				if d := time.Since(begin); d > writeTimeout+15*time.Second {
					t.Errorf("given up after %v", d)
				}
			})
		})
	}
}

// A slowReader reads at most 1000 bytes at a time, each time after a pause.
type slowReader struct {
	net.Conn
	pause atomic.Int64
}

func (s *slowReader) Read(b []byte) (int, error) {
	time.Sleep(time.Duration(s.pause.Load()))
	return s.Conn.Read(b[:min(len(b), 1000)])
}
