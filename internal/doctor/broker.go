package doctor

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
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

// broker tries each URL of the broker as far as the CONNACK.
func (p *Config) broker(ctx context.Context) []Check {
	if p.Running != nil {
		link := p.Running.Health.Link
		if link.Connected {
			return []Check{{"broker", OK, "the gateway is connected to " + p.Running.Broker, ""}}
		}
		if link.Asleep {
			return []Check{{"broker", OK, fmt.Sprintf("the gateway is %s (mqtt.online = %q); its last connection, to %s, ended in order", health.Asleep(p.Running.Health), p.Config.MQTT.Online, p.Running.Broker), ""}}
		}
		return []Check{{"broker", Fail, "the gateway is not connected: " + link.Error, "stop the gateway and run doctor again: doctor then tries the connection step by step"}}
	}
	var checks []Check
	good := false
	for _, s := range p.Config.MQTT.URLs {
		c := Check{Subject: "broker " + s, Level: OK}
		begin := time.Now()
		if wrong := p.connect(ctx, s); wrong != nil {
			c.Level, c.Detail, c.Remedy = Fail, wrong.err.Error(), wrong.remedy
		} else {
			c.Detail = fmt.Sprintf("it accepts this gateway, in %v", time.Since(begin).Round(time.Millisecond))
			good = true
		}
		checks = append(checks, c)
	}
	for i := range checks {
		if good && checks[i].Level == Fail { // the gateway takes another
			checks[i].Level = Warn
		}
	}
	return checks
}

// step is how long each of the steps to a broker may take.
const step = 10 * time.Second

func (p *Config) connect(ctx context.Context, s string) *problem {
	ctx, cancel := context.WithTimeout(ctx, 3*step)
	defer cancel()
	u, err := url.Parse(s)
	if err != nil {
		return &problem{err, "correct mqtt.urls"}
	}
	if wrong := resolve(ctx, u); wrong != nil {
		return wrong
	}
	m := p.Config.MQTT
	cfg, err := credential.TLS(m.TLS, func() time.Time { return p.Now })
	if err != nil {
		return &problem{err, "check the file and its permissions: the service's user must be able to read it"}
	}
	password, err := credential.Password(m)
	if err != nil {
		return &problem{err, passwordRemedy(m)}
	}
	conn, err := p.Dial(ctx, u, cfg)
	if err != nil {
		return diagnosed(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(step)); err != nil {
		return &problem{err, ""}
	}
	return p.handshake(conn, password)
}

// passwordRemedy says what to do about a password that is not there.
func passwordRemedy(m config.MQTT) string {
	switch {
	case m.PasswordCredential != "":
		return "a systemd credential exists only for the service; " + AsService
	case m.PasswordEnv != "":
		return "the service gets it from EnvironmentFile= or Environment= in its unit; this shell needs it too"
	}
	return "correct mqtt.password_file, and let the service's user read it: sudo chown root:fieldgate FILE; sudo chmod 640 FILE"
}

// password looks at the rights of the password's file.
func (p *Config) password() []Check {
	file := p.Config.MQTT.PasswordFile
	info, err := os.Stat(file)
	if file == "" || err != nil { // the broker's check reports that there is none
		return nil
	}
	c := Check{Subject: "password", Level: OK, Detail: file + " exists"}
	switch password, err := credential.Password(p.Config.MQTT); {
	case err == nil && len(password) == 0:
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

// handshake connects as the gateway would, with its session, and leaves that as it was.
func (p *Config) handshake(conn net.Conn, password []byte) *problem {
	m := p.Config.MQTT
	c := packet.Connect{ClientID: m.ClientID, KeepAlive: uint16(m.KeepAlive / time.Second), HasUsername: m.Username != "", Username: m.Username,
		HasPassword: password != nil, Password: password}
	if m.SessionExpiry > 0 {
		c.Properties.Present = packet.Props(packet.PropSessionExpiry)
		c.Properties.SessionExpiry = uint32(m.SessionExpiry / time.Second)
	}
	_, err := conn.Write(c.Append(nil))
	var answer *packet.Connack
	if err == nil {
		answer, err = probe.ReadConnack(conn)
	}
	if err != nil {
		return diagnosed(err)
	}
	if answer.Code != packet.Success {
		err := probe.Refusal(answer)
		return diagnosed(err)
	}
	var bye packet.Disconnect
	if !answer.SessionPresent && m.SessionExpiry > 0 { // this connection made it
		bye.Properties.Present = packet.Props(packet.PropSessionExpiry)
	}
	_, _ = conn.Write(bye.Append(nil))
	return nil
}

// diagnosed makes the judgement of the MQTT library a problem.
func diagnosed(err error) *problem {
	remedy, err := probe.Diagnose(err)
	return &problem{err, remedy}
}
