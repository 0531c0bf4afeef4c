package doctor

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/internal/health"
	"github.com/fieldgate/fieldgate/internal/probe"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A problem is an error with its remedy.
type problem struct {
	err    error
	remedy string
}

// Connect connects to the first broker of the configuration as its gateway would, and leaves. It
// says how long that took, or in one sentence why it does not work and what to do.
func Connect(ctx context.Context, p Config) (took time.Duration, err error) {
	begin := time.Now()
	session, wrong := p.connect(ctx, p.Config.MQTT.URLs[0])
	if wrong != nil {
		return 0, probe.Sentence(wrong.err, wrong.remedy)
	}
	session.leave()
	return time.Since(begin), nil
}

// broker tries each URL of the broker as far as the CONNACK, and measures the line of the first
// that works.
func (p *Config) broker(ctx context.Context) []Check {
	if p.Running != nil {
		return p.gatewaysBroker()
	}
	var checks, more []Check
	for _, s := range p.Config.MQTT.URLs {
		c := Check{Subject: "broker " + s, Level: OK}
		begin := time.Now()
		session, wrong := p.connect(ctx, s)
		if wrong != nil {
			c.Level, c.Detail, c.Remedy = Fail, wrong.err.Error(), wrong.remedy
		} else {
			c.Detail = fmt.Sprintf("it accepts this gateway, in %v%s", time.Since(begin).Round(time.Millisecond), through(p.proxy(s)))
			if more == nil {
				more = append(p.allowed(&session.limits), p.line(ctx, s, session))
			}
			session.leave()
		}
		checks = append(checks, c)
	}
	for i := range checks {
		if more != nil && checks[i].Level == Fail { // the gateway takes another
			checks[i].Level = Warn
		}
	}
	return append(checks, more...)
}

// gatewaysBroker is what the running gateway says of its broker.
func (p *Config) gatewaysBroker() []Check {
	link := p.Running.Health.Link
	if link.Asleep {
		return []Check{{"broker", OK, fmt.Sprintf("the gateway is %s (mqtt.online = %q); its last connection, to %s, ended in order", health.Asleep(p.Running.Health), p.Config.MQTT.Online, p.Running.Broker), ""}}
	}
	if !link.Connected && p.Config.NoBroker() != "" { // the configuration's check says it
		return nil
	}
	if !link.Connected {
		return []Check{{"broker", Fail, "the gateway is not connected: " + link.Error, "stop the gateway and run doctor again: doctor then tries the connection step by step"}}
	}
	checks := []Check{{"broker", OK, "the gateway is connected to " + p.Running.Broker + through(p.Running.Proxy), ""}}
	if p.Running.Limits != nil {
		checks = append(checks, p.allowed(p.Running.Limits)...)
	}
	return append(checks, Check{"line", OK, "it was not measured: two clients cannot use the same client id. With the gateway stopped doctor measures it", ""})
}

func (p *Config) proxy(broker string) string {
	if p.Proxy == nil {
		return ""
	}
	return p.Proxy(broker)
}

// through says that there is a proxy.
func through(proxy string) string {
	if proxy == "" {
		return ""
	}
	return ", through the proxy " + proxy
}

// step is how long each of the steps to a broker may take.
const step = 10 * time.Second

func (p *Config) connect(ctx context.Context, s string) (*session, *problem) {
	ctx, cancel := context.WithTimeout(ctx, 3*step)
	defer cancel()
	u, err := url.Parse(s)
	if err != nil {
		return nil, &problem{err, "correct mqtt.urls"}
	}
	if p.proxy(s) == "" { // a proxy looks up the name itself
		if wrong := resolve(ctx, u); wrong != nil {
			return nil, wrong
		}
	}
	m := p.Config.MQTT
	cfg, err := credential.TLS(m.TLS, func() time.Time { return p.Now })
	if err != nil {
		return nil, &problem{err, "check the file and its permissions: the service's user must be able to read it"}
	}
	password, _, err := credential.Password(ctx, m)
	if err != nil {
		return nil, &problem{err, passwordRemedy(m)}
	}
	conn, err := p.Dial(ctx, u, cfg)
	if err != nil {
		return nil, diagnosed(err)
	}
	if err := conn.SetDeadline(time.Now().Add(step)); err != nil {
		conn.Close()
		return nil, &problem{err, ""}
	}
	made, err := p.handshake(conn, password)
	if err != nil {
		conn.Close()
		return nil, diagnosed(err)
	}
	return made, nil
}

// passwordRemedy says what to do about a password that is not there.
func passwordRemedy(m config.MQTT) string {
	switch {
	case m.PasswordCredential != "":
		return "a systemd credential exists only for the service; " + AsService
	case len(m.PasswordCommand) > 0:
		return "try it by hand with the rights of the service: sudo systemd-run --pipe --wait -q -p User=fieldgate " + m.PasswordCommand[0]
	case m.PasswordEnv != "":
		return "the service gets it from EnvironmentFile= or Environment= in its unit; this shell needs it too"
	}
	return "correct mqtt.password_file, and let the service's user read it: sudo chown root:fieldgate FILE; sudo chmod 640 FILE"
}

// passwordFile looks at the rights of the password's file.
func (p *Config) passwordFile() []Check {
	file := p.Config.MQTT.PasswordFile
	info, err := os.Stat(file)
	if file == "" || err != nil { // the broker's check reports that there is none
		return nil
	}
	c := Check{Subject: "password", Level: OK, Detail: file + " exists"}
	switch password, err := config.ReadFile(file, 64<<10); {
	case err == nil && len(strings.TrimRight(string(password), "\r\n")) == 0:
		c.Level, c.Detail, c.Remedy = Warn, file+" is empty", "write the password into it, or remove mqtt.password_file"
	case info.Mode()&0o007 != 0:
		c.Level, c.Detail = Warn, fmt.Sprintf("%s can be read by everyone (mode %04o)", file, info.Mode().Perm())
		c.Remedy = fmt.Sprintf("sudo chown root:fieldgate %s; sudo chmod 640 %s", file, file)
	}
	return []Check{c}
}

// resolve looks up the host's name, to distinguish that failure from others.
func resolve(ctx context.Context, u *url.URL) *problem {
	if u.Scheme == "unix" || net.ParseIP(u.Hostname()) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, step)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, u.Hostname()); err != nil {
		return &problem{err, "check the host name in mqtt.urls; resolvectl status shows the DNS servers, and ip route shows whether there is a default route"}
	}
	return nil
}

// handshake connects as the gateway would, with its session. The commands that wait in it stay
// there: the broker may send one, which is not acknowledged.
func (p *Config) handshake(conn net.Conn, password []byte) (*session, error) {
	m := p.Config.MQTT
	c := packet.Connect{ClientID: m.ClientID, KeepAlive: uint16(m.KeepAlive / time.Second), HasUsername: m.Username != "", Username: m.Username,
		HasPassword: password != nil, Password: password}
	c.Properties.Present, c.Properties.ReceiveMaximum = packet.Props(packet.PropReceiveMaximum), 1
	if m.SessionExpiry > 0 {
		c.Properties.Present |= packet.Props(packet.PropSessionExpiry)
		c.Properties.SessionExpiry = uint32(m.SessionExpiry / time.Second)
	}
	if _, err := conn.Write(c.Append(nil)); err != nil {
		return nil, err
	}
	in := probe.NewReader(conn)
	answer, err := probe.ReadConnack(in)
	if err != nil {
		return nil, err
	}
	if answer.Code != packet.Success {
		return nil, probe.Refusal(answer)
	}
	return &session{conn, in, answer.SessionPresent, limits(m, answer)}, nil
}

// diagnosed makes the judgement of the MQTT library a problem.
func diagnosed(err error) *problem {
	remedy, err := probe.Diagnose(err)
	return &problem{err, remedy}
}
