# A Modbus slave by pymodbus: slave.py rtu PORT, or slave.py tcp HOST:PORT. Units 1 and 17; others are silent.
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartSerialServer, StartTcpServer
from pymodbus.transaction import ModbusRtuFramer


def unit(first):
    # pymodbus counts the entries of a block from 1.
    return ModbusSlaveContext(
        di=ModbusSequentialDataBlock(1, [1, 0, 1, 0, 1, 1, 0, 0, 1, 0]),
        co=ModbusSequentialDataBlock(1, [0] * 16),
        hr=ModbusSequentialDataBlock(1, list(range(first, first + 250))),
        ir=ModbusSequentialDataBlock(1, [215, 0xFF9C, 0x41AC, 0x0000, 0, 1, 0, 2]),
    )


context = ModbusServerContext(slaves={1: unit(100), 17: unit(500)}, single=False)
if sys.argv[1] == "rtu":
    StartSerialServer(context=context, framer=ModbusRtuFramer, port=sys.argv[2], baudrate=19200, timeout=0.05, ignore_missing_slaves=True)
else:
    host, port = sys.argv[2].split(":")
    StartTcpServer(context=context, address=(host, int(port)), ignore_missing_slaves=True)
