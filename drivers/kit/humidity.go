package kit

import "math"

// HumidityAt returns the relative humidity at the temperature to of air that has the relative
// humidity rh at the temperature from: the same vapour, another saturation pressure (Magnus formula
// with the constants of Sonntag 1990). It is for a sensor that is warmer than the air around it.
// Temperatures are in °C, humidities in %RH and limited to 0 to 100.
func HumidityAt(rh, from, to float64) float64 {
	if from == to {
		return rh
	}
	saturation := func(t float64) float64 { return math.Exp(17.62 * t / (243.12 + t)) }
	return min(max(rh*saturation(from)/saturation(to), 0), 100)
}
