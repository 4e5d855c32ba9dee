# What the Makefiles of the AVR runtimes share; each says how $(BUILD)/BOARD.elf is made.
SHIPPED ?= ../../host_sdk/flash/hex
BUILD ?= build
BOARDS := $(patsubst board_%.h,%,$(wildcard board_*.h))

PYTHON ?= python3
CC := avr-gcc
# For C; they make it smaller.
SMALL := -fno-jump-tables -fshort-enums -ffunction-sections -fdata-sections \
	-fno-split-wide-types -fno-move-loop-invariants -maccumulate-args \
	-Wall -Wextra -Werror

all: $(BOARDS:%=$(BUILD)/%.hex)

$(BUILD)/%.hex: $(BUILD)/%.elf
	avr-objcopy -O ihex -j .text -j .data $< $@

ship: $(BOARDS:%=ship-%)

ship-%: $(BUILD)/%.hex
	PYTHONPATH=../.. $(PYTHON) -m host_sdk.cli.ship $< $(SHIPPED)/$*.hex

clean:
	rm -rf $(BUILD)

.PHONY: all ship clean
.SECONDARY:
