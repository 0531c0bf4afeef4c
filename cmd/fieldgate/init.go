package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/internal/doctor"
	"github.com/fieldgate/fieldgate/internal/scan"
	"github.com/fieldgate/fieldgate/internal/setup"
	"github.com/fieldgate/fieldgate/internal/terminal"
	"github.com/fieldgate/fieldgate/internal/transport"
)

// serviceGroup may read the configuration and the password.
const serviceGroup = "fieldgate"

type initFlags struct {
	*options
	answers                setup.Answers
	username, passwordFile string
	file, socket           string
	yes, asJSON            bool
}

func initCommand(o *options) *cobra.Command {
	f := &initFlags{options: o}
	c := &cobra.Command{
		Use: "init", Short: "Make the first configuration: broker, login, sensors",
		Long: `Init asks for the broker and the login, shows the broker's certificate, looks for sensors, tries each of them and the broker, and writes the
configuration, the password and the certificate so that the service can read them. Nothing is changed before the end.

Each flag answers a question. --yes takes what is proposed for the others: no login, and each sensor that works. Without a terminal nothing is
asked, and what is missing is named.`,
		Example: `  sudo fieldgate init
  sudo fieldgate init --yes --broker mqtts://broker.example.com:8883 --username gw1 --password-file - --trust-fingerprint 9F:86:…`,
		Args: cobra.NoArgs,
		RunE: f.run,
	}
	a, flags := &f.answers, c.Flags()
	flags.StringVarP(&f.file, "output", "o", "", "`file` to make (default: the one of -c)")
	flags.StringVar(&a.ID, "id", "", "`name` of the gateway (default: host name and six digits of the machine id)")
	flags.StringVar(&a.Broker, "broker", "", "`URL` or host of the broker; none: there is none yet")
	flags.StringVar(&f.username, "username", "", "user `name` at the broker")
	flags.StringVar(&f.passwordFile, "password-file", "", "`file` that has the password; - is standard input")
	flags.StringVar(&a.CAFile, "ca-file", "", "PEM `file` of the authority that signed the broker's certificate")
	flags.StringVar(&a.Fingerprint, "trust-fingerprint", "", "`SHA-256` fingerprint of a certificate that the broker shows, to trust")
	flags.StringVar(&a.ServerName, "server-name", "", "`name` in the broker's certificate, if it is not that of the URL")
	flags.StringArrayVar(&a.Modbus, "modbus", nil, "Modbus `line` or device in the network to look at; may be repeated")
	flags.BoolVar(&a.Identify, "identify", false, "let drivers find their chips on I2C, which writes to the devices")
	flags.BoolVar(&a.NoScan, "no-scan", false, "do not look for sensors: take the board alone")
	flags.BoolVar(&a.NoTest, "no-test", false, "try neither the broker nor the sensors")
	flags.BoolVar(&a.Force, "force", false, "keep a configuration that is there aside, and make a new one")
	flags.BoolVarP(&f.yes, "yes", "y", false, "ask nothing: take what is proposed where no flag answers")
	flags.BoolVar(&f.asJSON, "json", false, "print what was done as JSON")
	socketFlag(c, &f.socket)
	return c
}

func (f *initFlags) run(cmd *cobra.Command, _ []string) error {
	c, done, err := f.setup(cmd)
	if err != nil {
		return err
	}
	defer done()
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP) // the terminal is closed: the stage is removed
	defer stop()
	result, err := setup.Run(ctx, c)
	if errors.As(err, new(*setup.Missing)) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if f.asJSON {
		return writeJSON(cmd.OutOrStdout(), result)
	}
	return f.printResult(cmd.OutOrStdout(), result)
}

// setup puts together what setup.Run needs. done gives it back.
func (f *initFlags) setup(cmd *cobra.Command) (c setup.Config, done func(), err error) {
	a := &f.answers
	if cmd.Flags().Changed("username") {
		a.Username = &f.username
	}
	if f.passwordFile != "" {
		password, err := givenPassword(f.passwordFile, cmd.InOrStdin())
		if err != nil {
			return c, nil, usageError{fmt.Errorf("--password-file: %w", err)}
		}
		a.Password = &password
	}
	if f.file == "" {
		f.file = f.config
	}
	if c.File, err = filepath.Abs(f.file); err != nil {
		return c, nil, err
	}
	f.config = c.File // a configuration that gives way says what a running gateway uses
	current, err := f.load()
	if err != nil {
		current = &config.Config{}
	}
	running, unknown := runningGateway(cmd.Context(), f.options, f.socket, current)
	ask, closeAsker, err := f.asker(cmd)
	if err != nil {
		return c, nil, err
	}
	host := openBuses(slog.New(slog.DiscardHandler))
	c = setup.Config{File: c.File, Answers: *a, Ask: ask, Catalogue: catalogue(), Buses: host, I2C: len(bus.I2CBuses()) > 0, NoI2C: board.Here().EnableI2C(), Group: groupOfService(), Unknown: unknown,
		Scan: func(ctx context.Context, identify bool) *scan.Found {
			s := scan.Scanner{Host: host, Specs: catalogue().Drivers, Sensors: current.Sensors, Running: running != nil || unknown != nil}
			return s.Scan(ctx, identify)
		},
		Dial: func(ctx context.Context, c *config.Config, cfg *tls.Config) error {
			u, err := url.Parse(c.MQTT.URLs[0])
			if err != nil {
				return err
			}
			conn, err := transport.New(transport.Config{MQTT: c.MQTT, Protocols: c.Protocols}).Dial(ctx, u, cfg)
			if err != nil {
				return err
			}
			return conn.Close()
		},
		Connect: func(ctx context.Context, c *config.Config) (string, error) {
			if running != nil && running.Gateway == c.Gateway.ID && running.Health.Link.Connected {
				return "not tried, because the running gateway is connected with the same name", nil
			}
			p := doctorConfig(ctx, f.options, f.socket, c, host)
			took, err := doctor.Connect(ctx, p)
			return fmt.Sprintf("it accepts this gateway, in %v", max(took.Round(time.Millisecond), time.Millisecond)), err
		},
	}
	return c, func() { host.Close(); closeAsker() }, nil
}

// givenPassword reads a password that a flag names.
func givenPassword(file string, stdin io.Reader) (string, error) {
	const most = 64 << 10
	var text []byte
	var err error
	if file == "-" {
		if in, ok := stdin.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
			return "", errors.New("- reads standard input, which is a terminal: leave the flag out to be asked")
		}
		text, err = io.ReadAll(io.LimitReader(stdin, most+1))
	} else if text, err = readPipe(file, most+1); text == nil && err == nil {
		text, err = config.ReadFile(file, most)
	}
	switch password := strings.TrimRight(string(text), "\r\n"); {
	case err != nil:
		return "", err
	case len(text) > most:
		return "", fmt.Errorf("it has more than %d bytes", most)
	case password == "":
		return "", errors.New("it is empty")
	default:
		return password, nil
	}
}

// readPipe reads a pipe, such as the shell's <(pass show broker). It returns nil for anything else.
func readPipe(file string, most int64) ([]byte, error) {
	if info, err := os.Stat(file); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most))
	return append([]byte{}, text...), err
}

// groupOfService returns the group of the service's user if this process can give files to it.
func groupOfService() *int {
	g, err := user.LookupGroup(serviceGroup)
	if err != nil || os.Geteuid() != 0 {
		return nil
	}
	id, err := strconv.Atoi(g.Gid)
	if err != nil {
		return nil
	}
	return &id
}

// asker is the person at the terminal, or the flags alone.
func (f *initFlags) asker(cmd *cobra.Command) (setup.Asker, func(), error) {
	out := cmd.ErrOrStderr()
	if f.yes || !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stderr.Fd())) {
		return setup.Unattended{Yes: f.yes, Note: func(text string) { fmt.Fprintln(out, text) }}, func() {}, nil
	}
	t, err := terminal.Open()
	if err != nil {
		return nil, nil, err
	}
	return &questioner{terminal: t, out: out, dumb: os.Getenv("TERM") == "dumb"}, func() { t.Close() }, nil
}

// printResult says what was done and what comes next.
func (f *initFlags) printResult(out io.Writer, r *setup.Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is there: gateway %s, %s.\n", r.File, r.Gateway, several(len(r.Sensors), "sensor"))
	for _, kept := range r.Kept {
		fmt.Fprintf(&b, "What was there before is now %s.\n", kept)
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil && r.File == config.DefaultFile {
		b.WriteString("Next: sudo systemctl reload-or-restart fieldgate, then sudo fieldgate top\n")
	} else {
		fmt.Fprintf(&b, "Next: fieldgate run %s, then fieldgate top -c %[1]s\n", r.File)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
