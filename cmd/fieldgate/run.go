package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/internal/clock"
	"github.com/fieldgate/fieldgate/internal/enrol"
	"github.com/fieldgate/fieldgate/internal/gateway"
	"github.com/fieldgate/fieldgate/internal/homeassistant"
	"github.com/fieldgate/fieldgate/internal/launch"
	"github.com/fieldgate/fieldgate/internal/loghandler"
	"github.com/fieldgate/fieldgate/internal/page"
	"github.com/fieldgate/fieldgate/internal/trial"
	"github.com/fieldgate/fieldgate/systemd"
)

func runCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "run [FILE]", Args: cobra.MaximumNArgs(1), Short: "Run the gateway until SIGTERM",
		Long: "Run reads the configuration and works until SIGTERM or Ctrl-C. SIGHUP is the same as `fieldgate reload`.\n" +
			"If the configuration has become invalid, run continues with the last one that worked, and says so.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.file(cmd, args); err != nil {
				return err
			}
			return runGateway(cmd.Context(), o, cmd.Flags().Changed("config"))
		},
	}
	stateFlag(c, o)
	return c
}

// stateFlag adds --state-dir.
func stateFlag(c *cobra.Command, o *options) {
	usage := "`directory` of the store and of the last good configuration"
	if p, err := config.ThisProcess().Places(); err == nil {
		usage += fmt.Sprintf(" (default %s)", p.State)
	}
	c.Flags().StringVar(&o.stateDir, "state-dir", "", usage)
}

// runGateway runs the gateway; named says that the configuration file was named by the user who
// started it.
func runGateway(ctx context.Context, o *options, named bool) error {
	// A crash ends by SIGABRT, which says what it was.
	debug.SetTraceback("crash")
	hangup := hangups(ctx)
	level := new(slog.LevelVar)
	lines := loghandler.NewRing(logKept)
	log := slog.New(slog.NewMultiHandler(newLogger(level).Handler(), loghandler.New(lines, loghandler.Dated, level)))
	notify, err := systemd.NewNotifier()
	if err != nil {
		return err
	}
	places, err := o.places()
	if err != nil {
		return err
	}
	good := filepath.Join(places.State, "last-good.json")
	files := launch.Files{Config: o.config, Enrolled: filepath.Join(enrol.Dir(places.State), config.EnrolledFile), Good: good, Catalogue: catalogue()}
	onTrial := trial.Open(places.State)
	choice, err := files.Choose(named)
	if err == nil && choice.Config.Enrol.Template != "" {
		choice, err = finishEnrolment(files, choice, places, named, log)
	}
	if err != nil && onTrial != nil {
		// Not a configError: the service manager has to start the former program.
		return onTrial.Fail(fmt.Errorf("version %s cannot use the configuration: %v", version, err))
	} else if err != nil {
		return configError{err}
	}
	limitMemory()
	p := &program{options: o, places: places, good: good, hangup: hangup, level: level, log: log, lines: lines, notify: notify, trial: onTrial, began: began()}
	err = p.run(ctx, choice)
	if err != nil && !p.started && choice.State == launch.Current && ctx.Err() == nil {
		if before, e := files.FallBack(choice, err, p.places.Store); e == nil {
			err = p.run(ctx, before)
		}
	}
	if errors.Is(err, buffer.ErrNewer) && onTrial != nil {
		return onTrial.Fail(fmt.Errorf("version %s does not start: %w", version, err))
	}
	if !errors.Is(err, gateway.ErrRestart) {
		return err
	}
	// A signal that asks for the end while a restart is under way would be lost with this program.
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	if ctx.Err() != nil {
		return nil
	}
	return restart(p.began)
}

// program is what the runs of a gateway have in common.
type program struct {
	*options
	places  config.Places
	good    string // file of the last configuration that worked
	hangup  chan os.Signal
	level   *slog.LevelVar
	log     *slog.Logger
	lines   *loghandler.Ring
	notify  *systemd.Notifier
	trial   *trial.Files
	began   time.Duration // on the clock of clock.Up: of the first of the runs that a restart connects
	started bool          // a gateway came to work
}

// run runs a gateway with a configuration.
func (p *program) run(ctx context.Context, l launch.Choice) error {
	for _, problem := range l.Problems {
		p.log.Error("the new configuration cannot be used; continuing with the last good one", "problem", problem)
	}
	cfg := l.Config
	for _, w := range slices.Concat(cfg.Warnings(), homeassistant.Warnings(cfg), enrol.Leftover(cfg)) {
		p.log.Warn("configuration", "warning", w)
	}
	if err := p.places.Make(cfg); err != nil {
		return err
	}
	cfg.Buffer.Path, cfg.Control.Socket = p.places.Store(cfg), p.places.Socket(cfg)
	if cfg.ToEnrol() {
		defer p.enrol(ctx, cfg)()
		cfg = cfg.WithoutBroker(waitsForIdentity)
	}
	buses, here := openBuses(p.log), board.Here()
	err := gateway.Run(ctx, gateway.Options{
		Config: cfg, ConfigState: l.State, Problems: l.Problems,
		Check: p.reloaded,
		Buses: buses, Notify: p.notify, Level: p.level, Log: p.log, Version: version, Board: here.Model, System: here.System, Trial: p.trial, Built: buildTime(), Began: p.began,
		Started: func() {
			p.started = true
			if l.State != launch.Current {
				return
			}
			if err := config.SaveGood(p.good, l.Sources); err != nil {
				p.log.Warn("the configuration cannot be saved as the last good one", "err", err)
			}
		},
		Hangup: p.hangup,
		Page: page.Around{Lines: p.lines.Lines, Files: func() []config.Setting { return config.Shown(l.Sources) },
			Certificate: filepath.Join(p.places.State, "page-certificate.pem")},
	})
	if e := buses.Close(); err == nil {
		err = e
	}
	return err
}

// envBegan tells the program after a restart when the one before it began.
const envBegan = "FIELDGATE_BEGAN"

// began returns when the program started, on the clock of clock.Up: a restart within the process,
// such as a reload, is no new start.
func began() time.Duration {
	before, err := time.ParseDuration(os.Getenv(envBegan))
	os.Unsetenv(envBegan)
	now := clock.Up()
	if err != nil || before <= 0 || before > now {
		return now
	}
	return before
}

// hangups turns SIGHUP into wishes to reload.
func hangups(ctx context.Context) chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { signal.Stop(c) })
	return c
}

// restart replaces this process by a new one of the same program, or of the one that the launcher
// chooses: the process id stays, systemd need not know.
func restart(began time.Duration) error {
	exe, err := os.Executable()
	if launcher := os.Getenv(trial.EnvLauncher); launcher != "" {
		exe, err = launcher, nil
	}
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	// until the new program listens to it: it has just read its configuration
	signal.Ignore(syscall.SIGHUP)
	if err := syscall.Exec(exe, os.Args, append(os.Environ(), envBegan+"="+began.String())); err != nil {
		return fmt.Errorf("restart: running %s: %w", exe, err)
	}
	return nil
}

// logKept is how many bytes of the log the status page can show.
const logKept = 32 << 10

// newLogger logs to standard error, in the form for those who read it.
func newLogger(level *slog.LevelVar) *slog.Logger {
	return slog.New(loghandler.New(os.Stderr, loghandler.FormOf(os.Stderr, os.Getenv), level))
}

// memoryLimit is what Go's runtime may take of memory, itself included: its own share is 8 MiB, and
// a limit near that makes it collect without a pause as soon as there is work. The heap of an idle
// gateway stays at 2 to 3 MiB anyway.
const memoryLimit = 20 << 20

// limitMemory makes the collector keep the heap small, unless the environment says otherwise. 65
// costs an eighth more CPU than 100 while a backlog drains, and takes 1 to 3 MiB less at the peak.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(65)
	}
}

func versionText() string {
	text := fmt.Sprintf("%s (%s, %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "GOARM" {
				text += " v" + s.Value
			}
		}
	}
	return text + ")"
}
