// Fieldgate is an edge gateway: it reads sensors, keeps every reading until the broker has
// acknowledged it, and proves what it delivered.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
)

// Set by the linker.
var (
	version = "dev"
	built   = "" // RFC 3339
)

// Exit codes. systemd/fieldgate.service relies on exitConfig, which is not 2: Go's runtime ends
// some crashes with that.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2  // wrong configuration or usage
	exitConfig = 78 // run, with a wrong configuration: starting again does not help
)

// An exitCode ends the program with a code of its own; the one who returns it has said why.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// configError is a configuration that run cannot use.
type configError struct{ error }

func (e configError) Unwrap() error { return e.error }

// usageError is a mistake of the user who started the program.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() { os.Exit(run(os.Args[1:])) }

// run is main with an exit code.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	root := newRoot()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	var code exitCode
	if errors.As(err, &code) {
		return int(code)
	}
	complain(cmd.ErrOrStderr(), cmd, err)
	var cfg configError
	if errors.As(err, &cfg) {
		return exitConfig
	}
	var usage usageError
	var problems config.Problems
	if errors.As(err, &usage) || errors.As(err, &problems) {
		return exitUsage
	}
	return exitFailed
}

// complain prints why a command failed.
func complain(out io.Writer, cmd *cobra.Command, err error) { fmt.Fprintln(out, describe(cmd, err)) }

func describe(cmd *cobra.Command, err error) string {
	var problems config.Problems
	if errors.As(err, &problems) {
		if len(problems) == 1 {
			return err.Error()
		}
		return fmt.Sprintf("%v\n%d mistakes", err, len(problems))
	}
	return fmt.Sprintf("%s: %v", cmd.CommandPath(), err)
}

// options are the flags that every command has.
type options struct {
	config   string
	stateDir string
}

// file takes a configuration file that was named without -c.
func (o *options) file(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.Flags().Changed("config") && args[0] != o.config {
		return usageError{fmt.Errorf("-c names %s, and %s is given as well: name only one of them", o.config, args[0])}
	}
	return cmd.Flags().Set("config", args[0])
}

func newRoot() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:           "fieldgate",
		Short:         "An edge gateway that can prove what it delivered",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
	}
	root.SetOut(&plainWriter{out: os.Stdout})
	root.SetErr(&plainWriter{out: os.Stderr})
	// Not cobra's own version text: its templates look up methods by name, and then the linker
	// keeps every method of the program.
	showVersion := root.Flags().BoolP("version", "v", false, "print the version")
	root.PersistentFlags().StringVarP(&o.config, "config", "c", config.DefaultFile, "configuration `file`; conf.d/*.toml beside it are read as well")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
	})
	root.AddCommand(runCommand(o), demoCommand(), checkCommand(o), readCommand(o), statusCommand(o), topCommand(o), tailCommand(o), reloadCommand(o), verifyCommand(o), queueCommand(o), versionCommand())
	root.AddCommand(scanCommand(o), recordCommand(o), modbusCommand(o), doctorCommand(o), unitCommand(o), initCommand(o), enrolCommand(o), retireCommand(o))
	for _, c := range root.Commands() {
		args := c.Args
		if args == nil {
			args = cobra.NoArgs
		}
		c.Args = func(cmd *cobra.Command, a []string) error {
			if err := args(cmd, a); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("unknown command %q (fieldgate --help lists them)", args[0])}
		}
		return nil
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *showVersion {
			printVersion(cmd)
			return nil
		}
		return cmd.Help()
	}
	return root
}

func versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Print the version",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), struct {
					Version string `json:"version"`
					Built   string `json:"built,omitempty"` // RFC 3339
					Go      string `json:"go"`
					System  string `json:"system"`
					Arch    string `json:"arch"`
				}{version, built, runtime.Version(), runtime.GOOS, runtime.GOARCH})
			}
			printVersion(cmd)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printVersion(cmd *cobra.Command) { fmt.Fprintln(cmd.OutOrStdout(), "fieldgate", versionText()) }

// buildTime is when the program was built; the zero time if that is not known.
func buildTime() time.Time {
	t, err := time.Parse(time.RFC3339, built)
	if err != nil {
		return time.Time{}
	}
	return t
}
