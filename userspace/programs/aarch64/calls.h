/* Calls that only older ABIs have and a storm must not try: here there are none. */
#pragma once
#define PORT_LEFT_OUT
