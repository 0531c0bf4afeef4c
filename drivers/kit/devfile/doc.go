// Package devfile explains device files to the operator: why one cannot be opened and what to do
// about it, and which other programs have it open. It opens none itself: that is done by
// drivers/bus, and by the drivers of what the kernel shares out.
package devfile
