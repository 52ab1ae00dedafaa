#include "whatsapp.h"
