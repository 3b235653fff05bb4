package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	backtestv1 "example.com/client/gen/backcast/backtest/v1"
	gatewayv1 "example.com/client/gen/backcast/gateway/v1"
)

func sweep(ctx context.Context, connection *grpc.ClientConn, spec *backtestv1.BacktestSpec, symbols []string) error {
	// docs: sweep
	var periods []*structpb.Value
	for period := 5; period <= 30; period++ {
		periods = append(periods, structpb.NewNumberValue(float64(period)))
	}
	events, err := gatewayv1.NewBacktestServiceClient(connection).SweepBacktests(ctx, &gatewayv1.SweepBacktestsRequest{
		Spec:    spec,
		Symbols: symbols,
		Ranges:  []*backtestv1.ParameterRange{{Name: "period", Values: periods}},
		Cut:     &gatewayv1.SweepBacktestsRequest_Split{Split: 0.7},
	})
	if err != nil {
		return err
	}
	for {
		event, err := events.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if progress := event.GetProgress(); progress != nil {
			fmt.Fprintf(os.Stderr, "%d of %d\n", progress.GetCompleted()+progress.GetFailed(), progress.GetTotal())
		}
		if failure := event.GetFailure(); failure != nil {
			fmt.Printf("%s %v\n", failure.GetSymbol(), problemOf(status.FromProto(failure.GetStatus())))
		}
		for _, row := range event.GetRows().GetRows() {
			sharpe := row.GetTest().GetMedian().GetSharpeRatio()
			fmt.Printf("period %d: Sharpe ratio %.2f\n", row.GetStrategy().GetRsi().GetPeriod(), sharpe)
		}
		if winner := event.GetSummary().GetWinner(); winner != nil {
			fmt.Println("best:", winner.GetSymbol(), "with period", winner.GetStrategy().GetRsi().GetPeriod())
		}
	}
	// docs: end
}
