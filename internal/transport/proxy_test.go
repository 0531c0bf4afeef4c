package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/mqtt"
)

// proxy returns the address of something that answers whatever is sent with a text, and what it was
// asked for.
func proxy(t *testing.T, answer string, ends bool) (address string, asked <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	requests := make(chan string, 100)
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				r, err := http.ReadRequest(bufio.NewReader(nc))
				if err == nil {
					requests <- r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
				}
				_, _ = io.WriteString(nc, answer)
				if !ends {
					_, _ = io.Copy(io.Discard, nc)
				}
			}()
		}
	}()
	return l.Addr().String(), requests
}

// TestProxiesThatAreNone: whatever a proxy answers, there is a sentence with a remedy, and an end.
func TestProxiesThatAreNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name, answer  string
		ends          bool
		cause, remedy string
	}{
		{"407", "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", false, "does not accept the user name and password", "check the proxy's user name and password"},
		{"HTML", "<!DOCTYPE html><html>Welcome</html>", false, `begins with "<", which is not HTTP`, "log-in first"},
		{"page", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Welcome</html>", false, "a page of HTML", "log-in first"},
		{"forbidden", "HTTP/1.1 403 Forbidden\r\n\r\n", false, `does not connect to broker.test:8883: "403 Forbidden"`, "ask its operator"},
		{"garbage", "\x00\x01\x02\x03", false, "not HTTP", "check the proxy's address"},
		{"novel", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Filler: once upon a time\r\n", 10_000), false, "longer than", "check the proxy's address"},
		{"closes", "", true, "does not answer", "check the proxy's address"},
		{"nothing", "", false, "does not answer", "check the proxy's address"},
	} {
		t.Run(v.name, func(t *testing.T) {
			address, _ := proxy(t, v.answer, v.ends)
			d := New(Config{MQTT: config.MQTT{Proxy: "http://" + address, ProxyUsername: "gw", ProxyPasswordFile: file}})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if v.name == "nothing" {
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
			}
			defer cancel()
			_, err := d.Dial(ctx, &url.URL{Scheme: "mqtts", Host: "broker.test"}, nil)
			g := mqtt.Diagnose(err)
			if !strings.Contains(g.Cause, v.cause) || !strings.Contains(g.Remedy, v.remedy) || !strings.Contains(g.Cause, address) {
				t.Errorf("%v: %+v", err, g)
			}
			if strings.Contains(err.Error()+g.Cause, "hunter2") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
	d := New(Config{MQTT: config.MQTT{Proxy: "http://" + listenAndClose(t)}})
	_, err := d.Dial(t.Context(), &url.URL{Scheme: "mqtt", Host: "broker.test"}, nil)
	if g := mqtt.Diagnose(err); !strings.Contains(g.Cause, "is not reached: nothing listens") {
		t.Errorf("%v: %+v", err, g)
	}
	d = New(Config{MQTT: config.MQTT{Proxy: "http://127.0.0.1:1", ProxyUsername: "gw", ProxyPasswordFile: "/no/such/file"}})
	if _, err := d.Dial(t.Context(), &url.URL{Scheme: "mqtt", Host: "broker.test"}, nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "mqtt.proxy_password_file: ") {
		t.Error(err)
	}
}

func listenAndClose(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestProxyPasswordIsReadAgain: for each connection.
func TestProxyPasswordIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	address, asked := proxy(t, "HTTP/1.1 407 No\r\n\r\n", true)
	d := New(Config{MQTT: config.MQTT{Proxy: "http://" + address, ProxyUsername: "gw", ProxyPasswordFile: file}})
	for password, want := range map[string]string{"one\n": "Z3c6b25l", "two": "Z3c6dHdv"} { // base64 of gw:one, gw:two
		if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = d.Dial(t.Context(), &url.URL{Scheme: "mqtt", Host: "192.0.2.1"}, nil)
		if got := <-asked; got != "CONNECT 192.0.2.1:1883 Basic "+want {
			t.Errorf("got %q", got)
		}
	}
}

// TestHTTPProxy: requests over HTTPS go through the broker's proxy, or the environment's.
func TestHTTPProxy(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "NO_PROXY", "https_proxy", "no_proxy", "REQUEST_METHOD"} {
		t.Setenv(name, map[string]string{"HTTPS_PROXY": "http://environment:3128"}[name])
	}
	r, err := http.NewRequest(http.MethodHead, "https://time.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"": "http://environment:3128", "socks5://key:1080": "socks5://key:1080", config.NoProxy: "<nil>"} {
		via, err := New(Config{MQTT: config.MQTT{Proxy: key}}).HTTPProxy(r)
		if got := fmt.Sprint(via); err != nil || got != want {
			t.Errorf("proxy = %q: got %s, %v, want %s", key, got, err, want)
		}
	}
}

// TestEnvironment: without the key the environment decides, as for other programs.
func TestEnvironment(t *testing.T) {
	forHTTPS, forHTTP := "http://secure:3128", "http://user:secret@plain:3128"
	for _, v := range []struct {
		name   string
		env    map[string]string
		proxy  string // the key
		broker string
		want   string
	}{
		{"mqtts", map[string]string{"HTTPS_PROXY": forHTTPS, "HTTP_PROXY": forHTTP}, "", "mqtts://b.test", forHTTPS},
		{"wss", map[string]string{"HTTPS_PROXY": forHTTPS, "HTTP_PROXY": forHTTP}, "", "wss://b.test/mqtt", forHTTPS},
		{"mqtt", map[string]string{"HTTPS_PROXY": forHTTPS, "HTTP_PROXY": forHTTP}, "", "mqtt://b.test:1883", "http://user:xxxxx@plain:3128"},
		{"ws", map[string]string{"HTTP_PROXY": forHTTP}, "", "ws://b.test/mqtt", "http://user:xxxxx@plain:3128"},
		{"lower case", map[string]string{"https_proxy": forHTTPS}, "", "mqtts://b.test", forHTTPS},
		{"without a scheme", map[string]string{"https_proxy": "secure:3128"}, "", "mqtts://b.test", forHTTPS},
		{"socks5", map[string]string{"https_proxy": "socks5://s:1080"}, "", "mqtts://b.test", "socks5://s:1080"},
		{"socks5h", map[string]string{"https_proxy": "socks5h://s:1080"}, "", "mqtts://b.test", "socks5://s:1080"},
		{"only the other", map[string]string{"HTTP_PROXY": forHTTP}, "", "mqtts://b.test", ""},
		{"NO_PROXY", map[string]string{"HTTPS_PROXY": forHTTPS, "NO_PROXY": "a.test,.test"}, "", "mqtts://b.test", ""},
		{"no_proxy with a port", map[string]string{"HTTPS_PROXY": forHTTPS, "no_proxy": "b.test:8883"}, "", "mqtts://b.test:8883", ""},
		{"NO_PROXY with a network", map[string]string{"HTTPS_PROXY": forHTTPS, "NO_PROXY": "192.0.2.0/24"}, "", "mqtts://192.0.2.7", ""},
		{"this machine", map[string]string{"HTTPS_PROXY": forHTTPS}, "", "mqtts://localhost", ""},
		{"unix", map[string]string{"HTTP_PROXY": forHTTP}, "", "unix:///run/broker.sock", ""},
		{"none", map[string]string{"HTTPS_PROXY": forHTTPS}, config.NoProxy, "mqtts://b.test", ""},
		{"the key", map[string]string{"HTTPS_PROXY": forHTTPS, "NO_PROXY": "*"}, "socks5://key:1", "mqtts://b.test", "socks5://key:1"},
		{"nothing", nil, "", "mqtts://b.test", ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "REQUEST_METHOD"} {
				t.Setenv(name, v.env[name])
			}
			d := New(Config{MQTT: config.MQTT{URLs: []string{v.broker}, Proxy: v.proxy}})
			if got := d.Proxy(v.broker); got != v.want {
				t.Errorf("got %q, want %q", got, v.want)
			}
		})
	}
	address, asked := proxy(t, "HTTP/1.1 403 No\r\n\r\n", true)
	t.Setenv("https_proxy", "http://"+address)
	t.Setenv("no_proxy", "")
	d := New(Config{MQTT: config.MQTT{URLs: []string{"wss://b.test/mqtt"}}})
	_, _ = d.Dial(t.Context(), &url.URL{Scheme: "wss", Host: "b.test", Path: "/mqtt"}, nil)
	if got := <-asked; got != "CONNECT b.test:443 " {
		t.Errorf("WebSocket: got %q", got)
	}
	t.Setenv("https_proxy", "http://[::1")
	d = New(Config{MQTT: config.MQTT{URLs: []string{"mqtts://b.test"}}})
	if _, err := d.Dial(t.Context(), &url.URL{Scheme: "mqtts", Host: "b.test"}, nil); err == nil {
		t.Error("an invalid proxy")
	}
}
