package main

import (
	"bufio"
	"log/slog"
	"os"
	"time"

	"github.com/fieldgate/fieldgate/internal/demo"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func demoCommand() *cobra.Command {
	var length time.Duration
	c := &cobra.Command{
		Use: "demo", Short: "Demonstrate everything on this machine, without hardware or broker",
		Long: "Demo starts a broker inside this process, a gateway with this machine's own sensors and simulated ones, and a separate\n" +
			"subscriber, cuts the link between them for 10 s, and reports whether the subscriber received everything.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			buses := openBuses(slog.New(slog.DiscardHandler))
			defer buses.Close()
			out := cmd.OutOrStdout()
			var drawing func(string)
			if term.IsTerminal(int(os.Stdout.Fd())) {
				drawing = func(sequence string) { draw(out, sequence) }
			}
			return demo.Run(cmd.Context(), demo.Options{
				For: length, Out: out, Draw: drawing, Outage: enters(length),
				Catalogue: catalogue(), Buses: buses, Version: version,
			})
		},
	}
	c.Flags().DurationVar(&length, "for", 40*time.Second, "how long to run; 0: until Ctrl-C, and Enter cuts the link")
	return c
}

// enters turns the Enter key into requests, if somebody sits before a terminal and the demo has no
// end.
func enters(length time.Duration) <-chan struct{} {
	if length > 0 || !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil
	}
	c := make(chan struct{}, 1)
	go func() { // ends with the process: a read from a terminal cannot be cancelled
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			c <- struct{}{}
		}
	}()
	return c
}
