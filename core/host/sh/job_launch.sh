# Detaches what `detached` holds, and waits until it has reported.
said=$( (own_language; printf '%s\n' "$detached" |
    setsid sh -c 'eval "$(cat)"' kplay-job &) )
printf '%s\n' "$said"
case $said in
'did '*) exit 0 ;;
'fenced '*) exit 97 ;;
'refused '*) exit 96 ;;
'failed '*) exit 95 ;;
esac
exit 98
